"""Values and calls in object stores, or anything else that fsspec reaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from treadle.cache.registry import CODECS
from treadle.cache.storages.bucket import Bucket
from treadle.cache.storages.encoded import EncodedCalls, EncodedValues
from treadle.cache.storages.ports import Leases
from treadle.cache.storages.spelling import spelled
from treadle.cache.values.compression import compression
from treadle.cache.values.keyring import Keyring

_DEFAULTS = {"codec": "cloudpickle", "compress": False, "remaining_depth": 1, "trusted": False}


class ObjectValues(EncodedValues):
    """Values in an object store, one object for each.

    Values of a store that others can write to are only loaded with a key, with `allow`, or if `trusted`.

    Args:
        url: Where, as fsspec takes it, e.g. `s3://bucket/folder`.
        options: What else fsspec needs to open it.
        codec: As in `FileValues`.
        compress: As in `FileValues`.
        keyring: Signs and verifies.
        depth: As in `EncodedValues`.
        allow: As in `EncodedValues`.
        trusted: As in `EncodedValues`.

    Attributes:
        url: Where it is.
    """

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, object] | None = None,
        codec: str = "cloudpickle",
        compress: bool | str = False,
        keyring: Keyring | None = None,
        depth: int | None = 1,
        allow: Collection[str] | None = None,
        trusted: bool = False,
    ) -> None:
        self.url = url
        self._given = {
            "options": options,
            "codec": codec,
            "compress": compress,
            "secret_key": keyring,
            "remaining_depth": depth,
            "allow": allow,
            "trusted": trusted,
        }
        super().__init__(
            Bucket(url, "values", options),
            codec=CODECS.get(codec),
            compression=compression(compress),
            keyring=keyring,
            depth=depth,
            allow=allow,
            trusted=trusted,
        )

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": "objects", "url": self.url, **spelled(self._given, _DEFAULTS)}


class ObjectCalls(EncodedCalls):
    """Records in an object store, one object for each; to be searched, all of them are read.

    Args:
        url: As in `ObjectValues`.
        options: As in `ObjectValues`.
        keyring: Signs and verifies.
        leases: Leases of those who share it; object stores have none, so by default only the calls of this
            process wait for each other.

    Attributes:
        url: Where it is.
    """

    keeps_times = False

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, object] | None = None,
        keyring: Keyring | None = None,
        leases: Leases | None = None,
    ) -> None:
        self.url = url
        self._options = options
        super().__init__(Bucket(url, "calls", options), keyring=keyring, leases=leases)

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        given = {"options": self._options, "secret_key": self._keyring}
        return {"type": "objects", "url": self.url, **spelled(given)}
