"""Where nodes reach the machine of the driver."""

from __future__ import annotations

from distributed.utils import get_ip, get_ip_interface

from treadle.model.profile import ClusterProfile


def driver_address(profile: ClusterProfile) -> str:
    """Return the address that nodes reach this machine by.

    Raises:
        ValueError: There is no such interface, or it has no address.
    """
    if profile.host is not None:
        return profile.host
    found: str = get_ip() if profile.interface is None else get_ip_interface(profile.interface)
    return found
