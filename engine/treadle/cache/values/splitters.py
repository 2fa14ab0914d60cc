"""Which containers can be split into parts, and how each is put together again."""

from __future__ import annotations

import copyreg
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

Form = object
"""What is needed besides its parts to make a container; it is serialised with them."""

ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Types that are never values of their own within a container."""

_PICKLING = (
    "__reduce__",
    "__reduce_ex__",
    "__getnewargs__",
    "__getnewargs_ex__",
    "__getstate__",
    "__setstate__",
)
_GENERATED = {"_dataclass_getstate", "_dataclass_setstate", "slots_getstate", "slots_setstate"}
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by Python code


@dataclass(frozen=True, slots=True)
class Splitter:
    """How containers of a kind are taken apart.

    Attributes:
        name: What stands in a skeleton.
        fits: Whether it is for instances of a type.
        take: Returns form and parts of an instance; None if this one has to stay whole.
        make: Makes an equal instance of form and parts.
    """

    name: str
    fits: Callable[[type], bool]
    take: Callable[[object], tuple[Form, Sequence[object]] | None]
    make: Callable[[Form, list[object]], object]


def _take_items(value: object) -> tuple[Form, Sequence[object]] | None:
    items = cast("Sequence[object]", value)
    return (None, items) if items else None


def _take_dict(value: object) -> tuple[Form, Sequence[object]] | None:
    items = cast("dict[object, object]", value)
    return (None, [*items, *items.values()]) if items else None


def _make_list(_: Form, parts: list[object]) -> object:
    return parts


def _make_tuple(_: Form, parts: list[object]) -> object:
    return tuple(parts)


def _make_dict(_: Form, parts: list[object]) -> object:
    half = len(parts) // 2
    return dict(zip(parts[:half], parts[half:], strict=True))


def _take_fields(value: object) -> tuple[Form, Sequence[object]] | None:
    kind = type(value)
    names = _field_names(kind)
    if not names or not vars_of(value) <= set(names):
        return None
    try:
        return (kind, names), [getattr(value, name) for name in names]
    except AttributeError:
        return None


def vars_of(value: object) -> set[str]:
    """Return the names in an instance's dictionary, if it has one."""
    return set(getattr(value, "__dict__", ()))


def _make_instance(form: Form, parts: list[object]) -> object:
    kind, names = cast("tuple[type, tuple[str, ...]]", form)
    instance: object = object.__new__(kind)
    for name, part in zip(names, parts, strict=True):
        object.__setattr__(instance, name, part)
    return instance


def _field_names(kind: type) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(attribute.name for attribute in getattr(kind, "__attrs_attrs__", ()))


def _has_fields_only(kind: type) -> bool:
    """Whether its fields are all there is to an instance, and pickling it would do nothing else."""
    names = set(_field_names(kind))
    bases = kind.__mro__[:-1]
    slots = {slot for base in bases for slot in _slots(base)}
    return (
        bool(names)
        and slots <= names
        and all(base.__flags__ & _HEAP_TYPE for base in bases)
        and kind not in copyreg.dispatch_table
        and all(_is_generated(kind, name) for name in _PICKLING)
    )


def _slots(base: type) -> set[str]:
    slots = vars(base).get("__slots__", ())
    return {slots} if isinstance(slots, str) else set(slots) - {"__weakref__", "__dict__"}


def _is_generated(kind: type, name: str) -> bool:
    """Whether a method of pickling is missing, or the one that dataclasses or attrs write for slots."""
    method = getattr(kind, name, None)
    if method is None or method is getattr(object, name, None):
        return True
    return getattr(method, "__name__", "") in (
        f"_dataclass{name.rstrip('_')[1:]}",
        f"slots{name.rstrip('_')[1:]}",
    )


def _is(kind: type) -> Callable[[type], bool]:
    return lambda other: other is kind


LISTS = Splitter("list", _is(list), _take_items, _make_list)
TUPLES = Splitter("tuple", _is(tuple), _take_items, _make_tuple)
DICTS = Splitter("dict", _is(dict), _take_dict, _make_dict)
FIELDS = Splitter("fields", _has_fields_only, _take_fields, _make_instance)
