"""How two environments differ: distributions by their versions, and the interpreter."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.collect.lock import Lock
from treadle.ledger import Transaction
from treadle.ledger.packages import get_environment


def environment_changes(tx: Transaction, before: str, now: str) -> Iterator[str]:
    """Yield what is in one environment and not so in the other, by their ids.

    Of one that is no longer recorded, or was not built by Treadle, nothing can be said.
    """
    old, new = get_environment(tx, before), get_environment(tx, now)
    if old is None or new is None:
        gone = before if old is None else now
        yield f"of {gone} nothing is recorded any more"
        return
    if old.python_version != new.python_version:
        yield f"Python {old.python_version} -> {new.python_version}"
    were, are = ({pin.name: pin for pin in Lock(one.lock).pins} for one in (old, new))
    for name in sorted(were.keys() | are.keys()):
        was, is_ = were.get(name), are.get(name)
        if was is None or is_ is None:
            yield f"{is_} is new" if is_ else f"{was} is gone"
        elif was.version != is_.version:
            yield f"{name} {was.version} -> {is_.version}"
        elif was.hashes != is_.hashes:
            yield f"{name} {was.version} was built anew"
