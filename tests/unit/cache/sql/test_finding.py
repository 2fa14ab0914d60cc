"""What a template asks for is found, in order, page by page, through the index that fewest calls are in."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.records import CallRecord
from treadle.cache.storages.ports import Template
from treadle.cache.storages.sql.calls import SqlCalls

MakeRecord = Callable[..., CallRecord]
MakeDigest = Callable[[int], Digest]


def numbers(found: list[CallRecord]) -> list[int]:
    return [int(record.key, 16) for record in found]


@pytest.fixture
def filled(calls: SqlCalls, make_record: MakeRecord) -> SqlCalls:
    """Calls 1 to 12: the even ones of `measure`; x is the number modulo 3, y is 0."""
    for number in range(1, 13):
        calls.save(
            make_record(
                number,
                name="simulate" if number % 2 else "measure",
                module=None if number == 12 else "physics.water",
                version=None if number == 11 else number % 2,
                result=number % 4,
                metadata={"tags": {"project": "ice" if number > 6 else "steam", "number": number}},
                x=number % 3,
                y=0,
            )
        )
    return calls


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({}, list(range(12, 0, -1))),
        ({"name": "measure"}, [12, 10, 8, 6, 4, 2]),
        ({"name": "unknown"}, []),
        ({"module": "physics.water", "name": "measure"}, [10, 8, 6, 4, 2]),
        ({"version": 1}, [9, 7, 5, 3, 1]),
        ({"version": "1"}, []),
        ({"arguments": {"x": 1}}, [10, 7, 4, 1]),
        ({"arguments": {"x": 1}, "name": "measure"}, [10, 4]),
        ({"arguments": {"x": 1, "y": 0}}, [10, 7, 4, 1]),
        ({"arguments": {"y": 0, "x": 1}, "name": "measure"}, [10, 4]),
        ({"arguments": {"x": 1, "y": 1}}, []),
        ({"arguments": {"z": 1}}, []),
        ({"result": 3}, [11, 7, 3]),
        ({"result": 3, "arguments": {"x": 0}}, [3]),
        ({"metadata": {"tags": {"project": "ice"}}}, [12, 11, 10, 9, 8, 7]),
        ({"metadata": {"tags": {"project": None}}, "arguments": {"x": 2}}, [11, 8, 5, 2]),
        ({"metadata": {"runtime": None}}, list(range(12, 0, -1))),
        ({"metadata": {"tags": {"owner": "me"}}}, []),
    ],
)
def test_a_template_finds_what_it_says(
    filled: SqlCalls, digest: MakeDigest, template: dict[str, object], expected: list[int]
) -> None:
    asked = dict(template)
    if "arguments" in asked:
        asked["arguments"] = {name: digest(value) for name, value in asked["arguments"].items()}
    if "result" in asked:
        asked["result"] = digest(asked["result"])

    assert numbers(list(filled.find(Template(**asked)))) == expected


def test_pages_neither_repeat_nor_leave_out(
    calls: SqlCalls, make_record: MakeRecord, digest: MakeDigest
) -> None:
    """Also where many calls were made at the same moment."""
    for number in range(1, 301):
        calls.save(make_record(number, created=float(number // 50), x=0))

    for template in (Template(arguments={"x": digest(0)}), Template(name="simulate"), Template()):
        found = list(calls.find(template))
        assert sorted(numbers(found)) == list(range(1, 301))
        assert [record.created for record in found] == sorted(
            (record.created for record in found), reverse=True
        )


def test_what_is_evicted_between_pages_is_not_missed(calls: SqlCalls, make_record: MakeRecord) -> None:
    for number in range(1, 101):
        calls.save(make_record(number))

    found = []
    for record in calls.find(Template(name="simulate")):
        found.append(record)
        calls.evict(record.key)

    assert numbers(found) == list(range(100, 0, -1))
    assert not list(calls.entries())


def test_a_page_costs_one_statement(make_record: MakeRecord, digest: MakeDigest) -> None:
    calls = SqlCalls("sqlite://")
    for number in range(1, 101):
        calls.save(make_record(number, x=0))
    statements: list[str] = []
    with calls.database._connected() as connection:
        connection.set_trace_callback(statements.append)

    first = list(itertools.islice(calls.find(Template(arguments={"x": digest(0)})), 20))
    after_one = len(statements)
    every = list(calls.find(Template(arguments={"x": digest(0)})))

    assert (len(first), after_one) == (20, 1)
    assert (len(every), len(statements)) == (100, 3)
    calls.close()


@pytest.mark.parametrize("order", [("common", "rare"), ("rare", "common")])
def test_the_rarest_condition_leads(
    make_record: MakeRecord, digest: MakeDigest, order: tuple[str, str]
) -> None:
    calls = SqlCalls("sqlite://")
    for number in range(1, 201):
        calls.save(make_record(number, common=0, rare=number))
    statements: list[str] = []
    with calls.database._connected() as connection:
        connection.set_trace_callback(statements.append)
    wanted = {"common": digest(0), "rare": digest(7)}

    found = list(calls.find(Template(name="simulate", arguments={name: wanted[name] for name in order})))

    assert numbers(found) == [7]
    with calls.database.reading() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statements[-1]}")
        plan = [row[3] for row in cursor.fetchall()]
    assert "treadle_arguments_by_digest" in plan[0]
    assert "a.name = 'rare'" in statements[-1]
    assert not any("SCAN" in line or "TEMP B-TREE" in line for line in plan)
    calls.close()
