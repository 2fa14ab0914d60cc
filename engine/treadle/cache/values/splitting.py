"""Values split into parts that are kept once each, however many values they are in.

A list, tuple, dict, dataclass or attrs instance whose depth of nesting reaches a limit is kept as a skeleton
and children of their own. Named tuples, empty containers and whatever pickles itself in its own way are never
split, nor are parts split off that are smaller than what a file costs.

What is one object in two places of a node stays one; across nodes it becomes two equal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf

from treadle.cache.keys.digest import Digest
from treadle.cache.registry import SPLITTERS
from treadle.cache.values.codecs import Codec
from treadle.cache.values.compression import Bytes
from treadle.cache.values.splitters import ATOMS, Form, Splitter
from treadle.errors import Unstorable

SMALL_BYTES = 1024
"""A part whose serialised bytes are fewer stays in its parent."""

Skeleton = tuple[str, Form, list[object], list[tuple[int, int]]]
"""Name of the splitter, form, parts with gaps, and for each gap its position and the number of its child."""


class _Cycle(Exception):
    """A container holds itself."""


_Place = tuple[float, Digest | None]
"""How deep a part is, and its address if it does not stay in its parent."""


@dataclass(slots=True)
class Splitting:
    """One value on its way into a storage.

    Attributes:
        codec: Serialises skeletons and what is not split.
        depth: Containers nested so deep are split; a list of numbers has depth 1.
        write: Keeps serialised bytes with the addresses of their children, and returns their address.
    """

    codec: Codec
    depth: int
    write: Callable[[Sequence[Bytes], tuple[Digest, ...]], Digest]
    _placed: dict[int, tuple[object, _Place | None]] = field(default_factory=dict)

    def keep(self, value: object) -> Digest:
        """Keep a value, and those that are split off it before."""
        splitter = _splitter_of(value)
        if splitter is not None:
            try:
                _, address = self._container(value, splitter, whole_from=0)
            except (_Cycle, RecursionError, Unstorable):
                address = (
                    None  # kept whole if at all; what was split off by then is left to garbage collection
                )
            if address is not None:
                return address
        return self.write(self.codec.dumps(value), ())

    def _part(self, part: object) -> _Place:
        if type(part) in ATOMS:
            return 0, None
        if id(part) in self._placed:
            _, place = self._placed[id(part)]
            if place is None:
                raise _Cycle
            return place
        self._placed[id(part)] = part, None  # with the part, so that nothing else gets its id
        splitter = _splitter_of(part)
        if splitter is not None:
            place = self._container(part, splitter, whole_from=SMALL_BYTES)
        else:
            place = self._whole(part, 0, SMALL_BYTES)
        self._placed[id(part)] = part, place
        return place

    def _container(self, value: object, splitter: Splitter, *, whole_from: int) -> _Place:
        taken = splitter.take(value)
        if taken is None:
            return self._whole(value, 0, whole_from)
        form, parts = taken
        places: list[_Place] = []
        if not ATOMS.issuperset(map(type, parts)):
            places = [self._part(part) for part in parts]
        if any(address is not None for _, address in places):
            return inf, self._node(splitter.name, form, parts, [address for _, address in places])
        depth = 1 + max((depth for depth, _ in places), default=0)
        return (depth, None) if depth < self.depth else self._whole(value, depth, whole_from)

    def _whole(self, value: object, depth: float, at_least: int) -> _Place:
        parts = self.codec.dumps(value)
        return (depth, None) if sum(map(len, parts)) < at_least else (inf, self.write(parts, ()))

    def _node(self, kind: str, form: Form, parts: Sequence[object], addresses: list[Digest | None]) -> Digest:
        """Keep a container whose parts at some positions are values of their own."""
        children: list[Digest] = []
        numbers: dict[int, int] = {}
        left, gaps = list(parts), []
        for position, (part, address) in enumerate(zip(parts, addresses, strict=True)):
            if address is not None:
                if id(part) not in numbers:
                    numbers[id(part)] = len(children)
                    children.append(address)
                left[position] = None
                gaps.append((position, numbers[id(part)]))
        skeleton: Skeleton = (kind, form, left, gaps)
        return self.write(self.codec.dumps(skeleton), tuple(children))


def mend(skeleton: Skeleton, children: Sequence[object]) -> object:
    """Make a container of its skeleton and its children."""
    kind, form, parts, gaps = skeleton
    for position, number in gaps:
        parts[position] = children[number]
    return SPLITTERS.get(kind).make(form, parts)


def _splitter_of(value: object) -> Splitter | None:
    """Return what takes a value apart, or None."""
    kind: type = type(value)
    return _splitter_for(kind, SPLITTERS.registered)


@lru_cache(maxsize=4096)
def _splitter_for(kind: type, _: int) -> Splitter | None:
    return next((splitter for splitter in SPLITTERS.all() if splitter.fits(kind)), None)
