"""Limits over the storages that there are: what they are told of sizes and uses is what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from treadle.cache.caches.parts import parts_of
from treadle.cache.config import from_config
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template

STORAGES = [("cloudpickle", "sql"), ("cloudpickle", "pickle"), ("memory", "memory"), ("pickle", "memory")]


def key_of(number: int) -> Digest:
    return Digest(blake3(str(number).encode()).hexdigest())


def record(cache: Any, number: int, result: object) -> None:
    call = SealedCall(key_of(number), f"f{number}", "tests", None, None, {}, {})
    cache.prepare(call).commit(result, result_key=None)


def limited(root: Path, storages: tuple[str, str], **limits: int) -> Any:
    values, calls = storages
    where = {"url": str(root / "calls.db")} if calls == "sql" else {"root": str(root / "c")}
    return from_config(
        {
            "values": {"type": values} | ({} if values == "memory" else {"root": str(root / "v")}),
            "calls": {"type": calls} | ({} if calls == "memory" else where),
            **limits,
        }
    )


def numbers(cache: Any) -> list[int]:
    return sorted(int(cached.record.name[1:]) for cached in cache.find(Template()))


def taken(cache: Any) -> int:
    [part] = parts_of(cache)
    return sum(entry.size for storage in (part.cache.values, part.cache.calls) for entry in storage.entries())


@pytest.mark.parametrize("storages", STORAGES, ids="-".join)
def test_bytes_on_disk_stay_below_the_limit_and_parts_go_with_their_whole(
    tmp_path: Path, storages: tuple[str, str]
) -> None:
    cache = limited(tmp_path, storages, max_bytes=100_000)
    for number in range(40):
        record(cache, number, {"own": [f"{number}" * 3000], "shared": ["x" * 5000]})
        assert taken(cache) <= 100_000
    left = numbers(cache)
    assert left == list(range(left[0], 40))
    assert len(left) > 5
    for number in left:
        assert cache.load(key_of(number)).result()["own"] == [f"{number}" * 3000]


@pytest.mark.parametrize("storages", STORAGES, ids="-".join)
def test_calls_stay_below_the_limit_in_the_order_of_their_use(
    tmp_path: Path, storages: tuple[str, str]
) -> None:
    cache = limited(tmp_path, storages, max_size=5)
    for number in range(12):
        record(cache, number, ["x" * 2000, number])
        cache.lookup(key_of(0))
    assert numbers(cache) == [0, 8, 9, 10, 11]
    [part] = parts_of(cache)
    assert len(list(part.cache.values.entries())) == 5
