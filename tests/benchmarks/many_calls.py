"""A database with very many calls, written at once, and queries of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from treadle.cache import CallRecord, digest_of
from treadle.cache.keys.sealing import key_of
from treadle.cache.records import Argument, Inline, Outcome
from treadle.cache.storages.ports import Template
from treadle.cache.storages.sql.calls import SqlCalls

SAME = 10
"""Calls that share the value of their first argument."""

_PAGE = 10_000


def fill(path: Path, calls: int) -> SqlCalls:
    """Write so many calls of a function of two arguments."""
    storage = SqlCalls(path)
    written = records(calls)
    while page := list(islice(written, _PAGE)):
        storage.save_many(page)
    return storage


def records(calls: int) -> Iterator[CallRecord]:
    """Make records of calls of a function of two arguments."""
    values = [digest_of(value) for value in range(SAME)]
    for number in range(calls):
        value, other = divmod(number, SAME)
        if other == 0:
            digest = digest_of(value)
        arguments = (Argument("x", digest, Inline(value)), Argument("y", values[other], Inline(other)))
        yield CallRecord(
            key=key_of("module", "function", None, None, {each.name: each.key for each in arguments}),
            name="function",
            module="module",
            version=None,
            code=None,
            arguments=arguments,
            result=Inline(number),
            result_key=values[other],
            outcome=Outcome.RETURNED,
            created=1.7e9 + number,
        )


def ask(storage: SqlCalls, calls: int, times: int) -> float:
    """Query by so many values of the first argument, spread over all; return the seconds."""
    wanted = [digest_of(number * (calls // SAME) // times) for number in range(times)]
    begin = time.perf_counter()
    for digest in wanted:
        found = list(storage.find(Template(name="function", arguments={"x": digest})))
        assert len(found) == SAME
    return time.perf_counter() - begin
