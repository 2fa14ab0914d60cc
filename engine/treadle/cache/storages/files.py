"""Values and calls in files: what a laptop or a shared file system needs, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path

from treadle.cache.registry import CODECS
from treadle.cache.storages.encoded import EncodedCalls, EncodedValues
from treadle.cache.storages.folder import OWN_FOLDER, Folder
from treadle.cache.storages.in_folder import InFolder
from treadle.cache.storages.ports import Leases
from treadle.cache.storages.spelling import spelled
from treadle.cache.values.compression import compression
from treadle.cache.values.keyring import Keyring

_DEFAULTS = {"compress": False, "remaining_depth": 1, "trusted": False}


class FileValues(InFolder, EncodedValues):
    """Values in files, one for each.

    Args:
        root: Folder of the storage; ours are in `.treadle/values` within it.
        codec: Name of a serialiser: pickle, cloudpickle, dill, or one that is registered.
        compress: Whether to compress with zlib, or the name of a compression: zlib or lzma.
        keyring: Signs and verifies.
        depth: As in `EncodedValues`.
        allow: As in `EncodedValues`.
        trusted: As in `EncodedValues`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        codec: str = "cloudpickle",
        compress: bool | str = False,
        keyring: Keyring | None = None,
        depth: int | None = 1,
        allow: Collection[str] | None = None,
        trusted: bool = False,
    ) -> None:
        self._folder = Folder(root, "values")
        self._given = {
            "compress": compress,
            "secret_key": keyring,
            "remaining_depth": depth,
            "allow": allow,
            "trusted": trusted,
        }
        super().__init__(
            self._folder,
            codec=CODECS.get(codec),
            compression=compression(compress),
            keyring=keyring,
            depth=depth,
            allow=allow,
            trusted=trusted,
        )

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        return {"type": self._codec.name, "root": self.root, **spelled(self._given, _DEFAULTS)}


class FileCalls(InFolder, EncodedCalls):
    """Records in files, one for each; to be searched, all are read: many thousands belong into a database.

    Args:
        root: Folder of the storage; ours are in `.treadle/calls` within it.
        keyring: Signs and verifies.
        leases: Leases of those who share the folder; by default a database beside the records.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        keyring: Keyring | None = None,
        leases: Leases | None = None,
    ) -> None:
        self._folder = Folder(root, "calls")
        super().__init__(self._folder, keyring=keyring, leases=leases)

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration; the serialiser that it names is for values only."""
        return {"type": "cloudpickle", "root": self.root, **spelled({"secret_key": self._keyring})}

    def _open_leases(self) -> Leases:
        from treadle.cache.leases.sql import SqlLeases

        return SqlLeases.at(Path(self.root) / OWN_FOLDER / "leases.sqlite")


pickle_values = partial(FileValues, codec="pickle")
"""Values in files that any Python reads, of types that it can import."""

dill_values = partial(FileValues, codec="dill")
"""Values in files, of types that only dill can serialise too."""
