"""fleche's digest of pandas objects: names, types, index, and pandas' own hashes of the elements.

pandas hashes objects that are no text through `str()`, so the digests of such elements stand in for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from treadle.cache.fleche.digest_parts import Hex


def is_pandas(value: object) -> bool:
    """Whether a value is pandas' own: a table, a column, an index, or its missing value."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return False
    return isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)) or value is pandas.NA


def pandas_content(value: object, hex_of: Hex) -> Iterable[bytes]:
    """What follows the name of the type."""
    pandas = sys.modules["pandas"]
    if value is pandas.NA:
        yield b"__NA__"
    elif isinstance(value, pandas.DataFrame):
        yield hex_of(list(value.columns))
        yield hex_of([str(dtype) for dtype in value.dtypes])
        yield hex_of(value.index)
        shown = value.copy(deep=False)
        for position in range(value.shape[1]):
            column = value.iloc[:, position]
            if _is_opaque(column):
                shown.isetitem(position, _digests(column, hex_of))
        yield _hashes(shown, index=False)
    elif isinstance(value, pandas.MultiIndex):
        yield hex_of(tuple(value.get_level_values(level) for level in range(value.nlevels)))
    else:
        yield from _column_content(value, hex_of)


def _column_content(column: Any, hex_of: Hex) -> Iterable[bytes]:
    pandas = sys.modules["pandas"]
    is_series = isinstance(column, pandas.Series)
    yield hex_of(column.name)
    yield hex_of(str(column.dtype))
    if is_series:
        yield hex_of(column.index)
    if _is_opaque(column):
        column = (pandas.Series if is_series else pandas.Index)(_digests(column, hex_of), dtype=object)
    yield _hashes(column, index=not is_series)


def _is_opaque(column: Any) -> bool:
    """Whether pandas' hashes do not tell the elements apart."""
    pandas = sys.modules["pandas"]
    elements = column.dtype.categories if isinstance(column.dtype, pandas.CategoricalDtype) else column
    if elements.dtype != object:
        return False
    return pandas.api.types.infer_dtype(elements, skipna=True) not in {"string", "empty"}


def _digests(column: Iterable[object], hex_of: Hex) -> object:
    return sys.modules["numpy"].array([hex_of(element).decode() for element in column], dtype=object)


def _hashes(values: object, *, index: bool) -> bytes:
    hashes = sys.modules["pandas"].util.hash_pandas_object(values, index=index)
    return bytes(hashes.to_numpy().tobytes())
