"""A storage's own arguments as the keys of its table."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from treadle.cache.storages.ports import Configured
from treadle.cache.values.keyring import Keyring
from treadle.errors import SettingsInvalid

_NOTHING: Mapping[str, object] = {}


def spelled(given: Mapping[str, object], defaults: Mapping[str, object] = _NOTHING) -> dict[str, object]:
    """Return the keys that are not at their defaults; what is None or empty is no key.

    Args:
        given: Values by key.
        defaults: Values that need not be said.

    Raises:
        SettingsInvalid: A value can only be given in code.
    """
    keys: dict[str, object] = {}
    for name, value in given.items():
        if value is None and defaults.get(name) is not None:
            raise SettingsInvalid(f"A storage whose {name} is None can be made in code only.")
        key = _plain(value)
        if key is not None and key != [] and key != defaults.get(name):
            keys[name] = key
    return keys


def _plain(value: object) -> object:
    if isinstance(value, Keyring):
        return value.texts()
    return list(value) if isinstance(value, Collection) and not isinstance(value, str | Mapping) else value


def keyring_of(storage: object) -> Keyring:
    """Return the keys that a storage signs with, as far as it tells; none otherwise."""
    keys = storage.to_config().get("secret_key") if isinstance(storage, Configured) else None
    return Keyring.parse(keys) if isinstance(keys, list) else Keyring()
