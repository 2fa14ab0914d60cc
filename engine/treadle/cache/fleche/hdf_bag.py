"""Reads what bagofholding has stored, with our classes for fleche's. Only imported where there is some."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bagofholding import H5Bag
from bagofholding.content import Global
from bagofholding.metadata import Metadata

from treadle.cache.fleche.records import CLASSES
from treadle.cache.fleche.unpickling import Damaged, Permits
from treadle.cache.keys.digest import Digest

_OURS = {
    f"{module}.{name}": f"{ours.__module__}.{ours.__qualname__}" for (module, name), ours in CLASSES.items()
}
_MADE_BY = frozenset({("copyreg", "__newobj__"), ("builtins", "iter")})
"""What objects are put together with; the classes are checked themselves."""


def groups(path: Path) -> list[str]:
    """Return the names of what a file holds.

    Raises:
        Damaged: It is no HDF5 file, or cut short.
    """
    try:
        with _Bag(path, None) as bag:
            return list(bag.file)
    except OSError as error:
        raise Damaged(f"it cannot be opened ({error})") from error


def read(path: Path, digest: Digest, versions: str, permitted: Permits | None) -> object:
    """Read what a file holds under a digest.

    Raises:
        Damaged: It is not there, cut short, of other versions, or uses what it may not.
    """
    try:
        return _Bag(path if path.name == digest else path / digest, permitted).load(
            version_validator=versions
        )
    except Exception as error:  # putting objects together runs foreign code, which may raise anything
        raise Damaged(f"{digest} cannot be read ({type(error).__name__}: {error})") from error


class _Bag(H5Bag):  # type: ignore[misc]  # bagofholding brings no types
    def __init__(self, path: Path, permitted: Permits | None) -> None:
        super().__init__(path, _skip_load=True)
        self._permitted = permitted

    def unpack_metadata(self, path: str) -> Metadata:
        """Leave the version of fleche out: its classes are not asked for."""
        found = super().unpack_metadata(path)
        if not found.content_type.startswith("bagofholding."):
            raise Damaged(f"{found.content_type} is no content of bagofholding's")
        ours = (found.module or "").partition(".")[0] == "fleche"
        return dataclasses.replace(found, version=None) if ours else found

    def unpack_string(self, path: str) -> str:
        """Return a text, or what stands for the name of a class of fleche's."""
        text = str(super().unpack_string(path))
        if self.unpack_metadata(path).content_type != Global.full_name():
            return text
        if text in _OURS:
            return _OURS[text]
        module, _, name = text.rpartition(".")
        if self._permitted and (module, name) not in _MADE_BY and not self._permitted.permits(module, name):
            raise Damaged(f"{text} is not among the names that may be used")
        return text
