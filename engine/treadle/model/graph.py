"""The graph of a workflow's steps, as names and the names they need."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from treadle.errors import UnknownName, UsageError


def chain_needs(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what each step needs if nothing is said: the step before it."""
    return [(names[index - 1],) if index else () for index in range(len(names))]


def execution_order(names: Sequence[str], needs: Sequence[Sequence[str]]) -> list[int]:
    """Return the positions of steps in order of execution; of several that are ready, the first goes first.

    Raises:
        CycleError: The steps need one another in a circle.
    """
    position = {name: index for index, name in enumerate(names)}
    sorter = TopologicalSorter(dict(zip(names, needs, strict=True)))
    sorter.prepare()
    ready: list[int] = []
    order = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, position[name])
        order.append(heapq.heappop(ready))
        sorter.done(names[order[-1]])
    return order


def ancestors(names: Sequence[str], needs: Sequence[Sequence[str]]) -> list[frozenset[int]]:
    """Return for each step the positions of all steps that it needs, and that those need in turn.

    Args:
        names: The steps in order of execution.
        needs: What each needs; names of none of the steps are passed over.
    """
    position = {name: index for index, name in enumerate(names)}
    found: list[frozenset[int]] = []
    for wanted in needs:
        direct = frozenset(position[name] for name in wanted if name in position)
        found.append(direct.union(*(found[index] for index in direct)))
    return found


def between(names: Sequence[str], first: str | None, last: str | None, *, owner: str) -> range:
    """Return the positions from one step to another, both included.

    Args:
        names: All steps in order of execution.
        first: Where to begin; None for the first of all.
        last: Where to end; None for the last of all.
        owner: Whose steps they are, as the beginning of a sentence.

    Raises:
        UnknownName: There is no such step.
        UsageError: The one to begin with comes after the one to end with.
    """
    begin = 0 if first is None else _position(names, first, owner)
    end = len(names) - 1 if last is None else _position(names, last, owner)
    if names and begin > end:
        raise UsageError(
            f"{owner} has step {first!r} after step {last!r}: there is nothing between them.",
            remedy=f"Its steps are, in this order, {_named(names)}.",
        )
    return range(begin, end + 1)


def require_steps(names: Sequence[str], wanted: Iterable[str], owner: str) -> None:
    """Check that there are steps of these names; raises UnknownName for the first that is not there."""
    for name in wanted:
        _position(names, name, owner)


def _position(names: Sequence[str], name: str, owner: str) -> int:
    if name not in names:
        raise UnknownName(f"{owner} has no step {name!r}.", remedy=f"Its steps are {_named(names)}.")
    return names.index(name)


def _named(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def graph_problems(names: Sequence[str], needs: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Find what keeps steps from being put in order.

    Returns:
        For each problem the position of a step, and a phrase that continues its name.
    """
    problems = []
    known: set[str] = set()
    for index, name in enumerate(names):
        if name in known:
            problems.append((index, f"has the name {name!r} of an earlier step"))
        known.add(name)
    for index, wanted in enumerate(needs):
        for name in dict.fromkeys(wanted):
            if name not in known:
                problems.append((index, f"needs {name!r}, which is not a step of this workflow"))
            if list(wanted).count(name) > 1:
                problems.append((index, f"needs {name!r} more than once"))
    cycle = _cycle(dict(zip(names, needs, strict=True)))
    if cycle:
        problems.append((names.index(cycle[0]), f"is in a cycle: {' needs '.join(map(repr, cycle))}"))
    return problems


def _cycle(graph: Mapping[str, Sequence[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
