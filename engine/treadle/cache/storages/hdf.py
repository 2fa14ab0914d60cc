"""Values in HDF5, by bagofholding: what h5py, or any viewer of HDF5, can look into.

The envelope is the file's user block, which readers of HDF5 skip.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from treadle.cache.storages.encoded import EncodedValues
from treadle.cache.storages.folder import Folder
from treadle.cache.storages.in_folder import InFolder
from treadle.cache.storages.spelling import spelled
from treadle.cache.values.codecs import CLOUDPICKLE
from treadle.cache.values.compression import Bytes
from treadle.cache.values.keyring import Keyring
from treadle.errors import SettingsInvalid

if TYPE_CHECKING:
    from bagofholding import H5Bag

    from treadle.cache.values.unpickling import Allowed

VERSION_VALIDATORS = ("exact", "semantic-minor", "semantic-major", "none")
"""How much the versions of the packages of a value's types may differ between saving and loading."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512  # HDF5 looks for its signature at 0, 512, 1024, 2048 and so on


@dataclass(frozen=True, slots=True)
class Hdf:
    """A serialiser whose bytes are an HDF5 file, or a pickle where bagofholding cannot keep a value.

    Attributes:
        version_validator: One of `VERSION_VALIDATORS`.
        name: Its name.
        boundary: Length of the shortest user block.
    """

    version_validator: str = "exact"
    name: str = "hdf"
    boundary: int = _USER_BLOCK

    def dumps(self, value: object) -> Sequence[Bytes]:
        """Return a value as an HDF5 file."""
        bag = _bag()
        try:
            with tempfile.TemporaryDirectory(prefix="treadle-hdf-") as folder:
                file = Path(folder, "value.h5")
                bag.save(value, file)
                return (file.read_bytes(),)
        except Exception:  # noqa: BLE001 - it has many reasons to have no place for a value, all the same here
            return CLOUDPICKLE.dumps(value)

    def loads(self, data: Bytes, allowed: Allowed | None) -> object:
        """Return the value in an HDF5 file; this runs what is in it."""
        if data[: len(_SIGNATURE)] != _SIGNATURE:
            return CLOUDPICKLE.loads(data, allowed)
        if allowed is not None:
            raise PermissionError("what values in HDF5 may use cannot be limited")
        with tempfile.TemporaryDirectory(prefix="treadle-hdf-") as folder:
            file = Path(folder, "value.h5")
            file.write_bytes(data)
            return _bag()(file).load(version_validator=self.version_validator)


HDF = Hdf()


class HdfValues(InFolder, EncodedValues):
    """Values in HDF5 files, one for each: `<root>/.treadle/values/ab/cdef….h5`.

    Args:
        root: Folder of the storage.
        version_validator: How much versions of packages may differ: one of `VERSION_VALIDATORS`.
        keyring: Signs and verifies.
        depth: As in `EncodedValues`.
        trusted: As in `EncodedValues`.

    Raises:
        SettingsInvalid: bagofholding is not installed, or there is no such validator.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        version_validator: str = "exact",
        keyring: Keyring | None = None,
        depth: int | None = None,
        trusted: bool = False,
    ) -> None:
        if version_validator not in VERSION_VALIDATORS:
            remedy = f"Take one of {', '.join(VERSION_VALIDATORS)}."
            raise SettingsInvalid(f"There is no version_validator {version_validator!r}.", remedy=remedy)
        _bag()
        self._folder = Folder(root, "values", suffix=".h5")
        self._given = {
            "version_validator": version_validator,
            "secret_key": keyring,
            "remaining_depth": depth,
            "trusted": trusted,
        }
        codec = Hdf(version_validator)
        super().__init__(self._folder, codec=codec, keyring=keyring, depth=depth, trusted=trusted)

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        defaults = {"version_validator": "exact", "trusted": False}
        return {"type": "bagofholding_hdf", "root": self.root, **spelled(self._given, defaults)}


def _bag() -> type[H5Bag]:
    try:
        from bagofholding import H5Bag
    except ImportError as error:
        remedy = "Install treadle[hdf]."
        raise SettingsInvalid(
            "Values in HDF5 need bagofholding.", remedy=remedy, detail=str(error)
        ) from error
    return cast("type[H5Bag]", H5Bag)
