"""What caches keep is counted, collected, removed, verified and taken elsewhere."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from treadle.cache.care.archive import export_calls, import_calls
from treadle.cache.care.eviction import Condition, evict_calls
from treadle.cache.care.fleche import import_fleche
from treadle.cache.care.garbage import collect_garbage
from treadle.cache.care.statistics import statistics
from treadle.cache.care.verification import verify
from treadle.cache.config import from_config
from treadle.cache.keys.digest import Digest
from treadle.cache.record_json import encode_record
from treadle.cache.records import CallRecord, SealedCall
from treadle.cache.storages.ports import Template
from treadle.cache.values.envelope import Kind, Letter, enclose
from treadle.cache.values.keyring import Keyring
from treadle.errors import AmbiguousKey, CacheRefused, CacheUnavailable, NotCached, UsageError

LONG = "x" * 2000


def key_of(name: str) -> Digest:
    return Digest(blake3(name.encode()).hexdigest())


def record(cache: Any, name: str, result: object, **arguments: object) -> CallRecord:
    parts = {argument: key_of(repr(value)) for argument, value in arguments.items()}
    call = SealedCall(key_of(name), name, "tests", None, None, arguments, parts)
    return cache.prepare(call).commit(result, result_key=None)


def names(cache: Any) -> set[str]:
    return {cached.record.name for cached in cache.find(Template())}


def table(root: Path, **more: object) -> dict[str, Any]:
    return {
        "values": {"type": "cloudpickle", "root": str(root)},
        "calls": {"type": "sql", "url": str(root / "calls.db")},
        **more,
    }


@pytest.fixture(params=["sql", "files", "limited", "stack"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    plain = table(tmp_path / "cache")
    files = {**plain, "calls": {"type": "pickle", "root": str(tmp_path / "cache")}}
    tables: dict[str, Any] = {
        "sql": plain,
        "files": files,
        "limited": {**plain, "max_bytes": 10**9},
        "stack": [plain, {**table(tmp_path / "colleague"), "read_only": True}],
    }
    return from_config(tables[request.param])


def later() -> float:
    return time.time() + 3600


def all_values(cache: Any) -> set[Digest]:
    from treadle.cache.caches.parts import parts_of

    return {entry.digest for entry in parts_of(cache)[0].cache.values.entries()}


def test_statistics_count_calls_and_values_of_every_layer(tmp_path: Path) -> None:
    colleague = from_config(table(tmp_path / "colleague"))
    record(colleague, "theirs", [LONG])
    cache = from_config([table(tmp_path / "own"), {**table(tmp_path / "colleague"), "read_only": True}])
    record(cache, "f", [LONG], x=[LONG, "other"])
    record(cache, "g", 3)
    own, theirs = statistics(cache)
    assert (own.name, own.calls.count, own.values.count, own.is_changeable) == ("0", 2, 2, True)
    assert own.values.place == str(tmp_path / "own")
    assert own.values.bytes > 4000
    assert own.calls.oldest is not None
    assert own.calls.oldest <= time.time()
    assert (theirs.name, theirs.calls.count, theirs.values.count, theirs.is_changeable) == ("1", 1, 1, False)


def test_garbage_is_what_no_call_needs(cache: Any) -> None:
    record(cache, "f", {"parts": [[LONG], [LONG + "a"]]}, x=[LONG + "b"])
    record(cache, "g", [LONG])
    before = all_values(cache)
    assert len(before) > 3
    cache.evict(key_of("f"))
    [would] = collect_garbage(cache, dry_run=True, clock=later)
    assert all_values(cache) == before
    [collected] = collect_garbage(cache, clock=later)
    assert (collected.values, collected.bytes) == (would.values, would.bytes)
    assert collected.values == len(before) - collected.kept
    assert cache.load(key_of("g")).result() == [LONG]
    assert len(all_values(cache)) == 1


def test_young_values_and_those_of_running_calls_stay(cache: Any) -> None:
    record(cache, "f", {"whole": [LONG]})
    cache.evict(key_of("f"))
    [collected] = collect_garbage(cache)
    assert collected.values == 0
    roots = all_values(cache)
    lease = cache.leases.acquire(key_of("g"), seconds=60, keeping=roots)
    [collected] = collect_garbage(cache, clock=later)
    assert collected.values == 0
    cache.leases.release(lease)
    [collected] = collect_garbage(cache, clock=later)
    assert collected.values == len(roots)


def test_parts_of_values_that_running_calls_keep_stay_too(cache: Any) -> None:
    kept = record(cache, "f", {"a": [[LONG], [LONG + "2"]]}).result
    cache.evict(key_of("f"))
    cache.leases.acquire(key_of("g"), seconds=60, keeping=[kept.digest])
    [collected] = collect_garbage(cache, clock=later)
    assert collected.values == 0
    assert cache.load_value(kept.digest) == {"a": [[LONG], [LONG + "2"]]}


def test_garbage_is_left_where_a_newer_treadle_wrote_a_record(tmp_path: Path) -> None:
    cache: Any = from_config(
        {**table(tmp_path), "calls": {"type": "pickle", "root": str(tmp_path)}},
    )
    newer = record(cache, "f", [LONG])
    text = encode_record(newer).replace(b'"format":1', b'"format":2')
    sealed = enclose(Letter((text,), "json"), Kind.RECORD, newer.key, keyring=Keyring())
    Path(cache.inner.calls.path(newer.key)).write_bytes(b"".join(sealed))
    with pytest.raises(CacheRefused, match="newer Treadle"):
        collect_garbage(cache, clock=later)
    assert len(all_values(cache)) == 1
    [found] = verify(cache)
    assert (found.newer, found.is_sound) == (1, True)


def test_calls_are_evicted_by_function_key_and_age_with_their_values(cache: Any) -> None:
    for name in ("f", "g", "h"):
        record(cache, name, [LONG, name])
    [evicted] = evict_calls(cache, Condition(function="tests.f"), dry_run=True)
    assert (evicted.calls, evicted.values) == (1, 1)
    assert names(cache) == {"f", "g", "h"}
    [evicted] = evict_calls(cache, Condition(function="tests.f"))
    assert evicted.calls == 1
    assert evicted.bytes > 2000
    assert names(cache) == {"g", "h"}
    assert len(all_values(cache)) == 2
    evict_calls(cache, Condition(key=key_of("g")[:8].upper()))
    assert names(cache) == {"h"}
    evict_calls(cache, Condition(function="h", recorded_before=time.time() - 60))
    assert names(cache) == {"h"}
    evict_calls(cache, Condition(recorded_before=later()))
    assert names(cache) == all_values(cache) == set()
    with pytest.raises(UsageError, match="Nothing says"):
        evict_calls(cache, Condition())


@pytest.mark.parametrize(
    ("key", "error"), [("", AmbiguousKey), (key_of("f")[:3], AmbiguousKey), ("0" * 8, NotCached)]
)
def test_key_that_is_not_that_of_one_call_evicts_none(
    tmp_path: Path, key: str, error: type[Exception]
) -> None:
    cache: Any = from_config(table(tmp_path))
    record(cache, "f", [LONG])
    with pytest.raises(error):
        evict_calls(cache, Condition(key=key))
    assert names(cache) == {"f"}


def test_least_recently_used_calls_go_until_the_size_is_reached(tmp_path: Path) -> None:
    cache: Any = from_config({**table(tmp_path), "calls": {"type": "pickle", "root": str(tmp_path)}})
    for age, name in enumerate(["f", "g", "h", "i"]):
        record(cache, name, [LONG, name])
        os.utime(cache.inner.calls.path(key_of(name)), (1e9 + age * 100, 1e9 + age * 100))
    os.utime(cache.inner.calls.path(key_of("f")), (1.5e9, 1e9))
    [evicted] = evict_calls(cache, Condition(down_to=7000))
    assert evicted.calls == 2
    assert names(cache) == {"f", "i"}
    evict_calls(cache, Condition(unused_since=1.4e9))
    assert names(cache) == {"f"}


def test_values_that_another_call_needs_stay_when_calls_are_evicted(cache: Any) -> None:
    record(cache, "f", [LONG], x=[LONG + "own"])
    record(cache, "g", [LONG])
    [evicted] = evict_calls(cache, Condition(function="f"))
    assert (evicted.calls, evicted.values) == (1, 1)
    assert cache.load(key_of("g")).result() == [LONG]


def test_verifying_finds_and_puts_aside_what_is_damaged_and_unpickles_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache: Any = from_config({**table(tmp_path), "calls": {"type": "pickle", "root": str(tmp_path)}})
    for name in ("sound", "value", "record", "gone"):
        record(cache, name, [LONG, name])
    record(cache, "explosive", [Explosive()])
    [before] = verify(cache)
    assert (before.calls, before.values, before.is_sound) == (5, 5, True)
    storages = cache.inner
    damage(storages.values.path(storages.calls.load(key_of("value")).result.digest))
    damage(storages.calls.path(key_of("record")))
    Path(storages.values.path(storages.calls.load(key_of("gone")).result.digest)).unlink()
    [found] = verify(cache)
    assert found.damaged_calls == [key_of("record")]
    assert len(found.damaged_values) == 1
    assert set(found.without_result) == {key_of("value"), key_of("gone")}
    assert (found.calls, found.is_sound) == (4, False)
    assert len(list((tmp_path / ".treadle" / "quarantine").iterdir())) == 2
    assert "damaged" in caplog.text
    [after] = verify(cache)
    assert (after.damaged_calls, after.damaged_values) == ([], [])


class Explosive:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (exec, ("raise SystemExit('unpickled')",))


def damage(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[-5] ^= 1
    Path(path).write_bytes(data)


def test_archive_takes_calls_with_their_values_elsewhere(cache: Any, tmp_path: Path) -> None:
    value = {"parts": [[LONG], [LONG + "a"]]}
    record(cache, "f", value, x=[LONG + "b"], n=3)
    record(cache, "g", "small")
    record(cache, "other", [LONG])
    written = export_calls(cache, tmp_path / "calls.zip", Condition(function="f"))
    assert (written.calls, written.incomplete) == (1, 0)
    written = export_calls(cache, tmp_path / "calls.zip")
    assert written.calls == 3
    target: Any = from_config({**table(tmp_path / "target"), "max_size": 10})
    would = import_calls(target, tmp_path / "calls.zip", dry_run=True)
    assert (would.calls, names(target)) == (3, set())
    taken = import_calls(target, tmp_path / "calls.zip")
    assert (taken.calls, taken.values, taken.there) == (3, written.values, 0)
    for cached in target.find(Template()):
        assert cached.record == cache.load(cached.record.key).record
        assert cached.result() == cache.load(cached.record.key).result()
        assert cached.arguments() == cache.load(cached.record.key).arguments()
    assert import_calls(target, tmp_path / "calls.zip").there == 3
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_archive_is_signed_and_only_taken_with_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source: Any = from_config(table(tmp_path / "source"))
    record(source, "f", [LONG])
    export_calls(source, tmp_path / "unsigned.zip")
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6b6579")
    export_calls(source, tmp_path / "signed.zip")
    target: Any = from_config(table(tmp_path / "target"))
    with pytest.raises(CacheRefused, match="not signed"):
        import_calls(target, tmp_path / "unsigned.zip")
    assert names(target) == set()
    assert import_calls(target, tmp_path / "signed.zip").calls == 1
    assert target.load(key_of("f")).result() == [LONG]
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6f74686572")
    with pytest.raises(CacheRefused, match="another key"):
        import_calls(from_config(table(tmp_path / "third")), tmp_path / "signed.zip")


def test_altered_archive_is_refused(tmp_path: Path) -> None:
    source: Any = from_config(table(tmp_path / "source"))
    first, second = record(source, "f", [LONG]), record(source, "g", [LONG + "g"])
    export_calls(source, tmp_path / "good.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as good:
        parts = {name: good.read(name) for name in good.namelist()}
    swapped = dict(parts)
    one, other = f"calls/{first.key}", f"calls/{second.key}"
    swapped[one], swapped[other] = swapped[other], swapped[one]
    cut = {name: data[:-1] if name.startswith("values/") else data for name, data in parts.items()}
    for number, altered in enumerate((swapped, cut)):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
            for name, data in altered.items():
                bad.writestr(name, data)
        target = from_config(table(tmp_path / f"target{number}"))
        with pytest.raises(CacheRefused):
            import_calls(target, tmp_path / "bad.zip")
        assert names(target) == set()


def test_import_on_trial_refuses_what_import_refuses(tmp_path: Path) -> None:
    source: Any = from_config(table(tmp_path / "source"))
    record(source, "f", [LONG])
    export_calls(source, tmp_path / "good.zip")
    target = from_config(table(tmp_path / "target"))
    for kind in ("values/", "calls/"):
        rewrite(
            tmp_path / "good.zip",
            tmp_path / "bad.zip",
            lambda name, data, kind=kind: data[:-1] if name.startswith(kind) else data,
        )
        with pytest.raises(CacheRefused):
            import_calls(target, tmp_path / "bad.zip", dry_run=True)
    assert import_calls(target, tmp_path / "good.zip", dry_run=True).calls == 1


def test_call_whose_value_is_not_in_the_archive_is_left_out(tmp_path: Path) -> None:
    source: Any = from_config(table(tmp_path / "source"))
    record(source, "f", [LONG])
    record(source, "g", "small")
    export_calls(source, tmp_path / "good.zip")
    rewrite(
        tmp_path / "good.zip",
        tmp_path / "bare.zip",
        lambda name, data: None if name.startswith("values/") else data,
    )
    target = from_config(table(tmp_path / "target"))
    for dry_run in (True, False):
        taken = import_calls(target, tmp_path / "bare.zip", dry_run=dry_run)
        assert (taken.calls, taken.values, taken.incomplete) == (1, 0, 1)
    assert names(target) == {"g"}


def rewrite(path: Path, altered: Path, alter: Callable[[str, bytes], bytes | None]) -> None:
    """Write an archive's entries anew, but for those of which None is made."""
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(altered, "w") as bad:
        for name in good.namelist():
            if (data := alter(name, good.read(name))) is not None:
                bad.writestr(name, data)


def test_archive_takes_the_place_of_archives_only(tmp_path: Path) -> None:
    source: Any = from_config(table(tmp_path / "source"))
    record(source, "f", "small")
    text, other, empty = tmp_path / "text.zip", tmp_path / "other.zip", tmp_path / "empty.zip"
    text.write_text("somebody's")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a", "somebody's")
    empty.touch()
    for path in (text, other, tmp_path, Path()):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(UsageError, match="is there, and is no archive of calls"):
            export_calls(source, path)
        assert before == (path.read_bytes() if path.is_file() else None)
    assert export_calls(source, empty).calls == export_calls(source, empty).calls == 1
    with pytest.raises(CacheUnavailable, match="No such file"):
        export_calls(source, tmp_path / "nowhere" / "calls.zip")


@pytest.mark.parametrize("content", [b"", b"no archive", "[]", '{"a": 1}', "no JSON"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "file.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("treadle-cache.json", content)
    with pytest.raises(UsageError, match="no archive of calls"):
        import_calls(from_config(table(tmp_path)), path)


def test_archive_that_is_missing_or_of_a_newer_treadle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with pytest.raises(UsageError, match="There is no file or folder"):
        import_calls(from_config(table(tmp_path)), path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("treadle-cache.json", '{"format": 2}')
    with pytest.raises(UsageError, match="format 2"):
        import_calls(from_config(table(tmp_path)), path)


def test_caches_that_are_only_read_are_not_changed(tmp_path: Path) -> None:
    record(from_config(table(tmp_path)), "f", [LONG])
    cache = from_config({**table(tmp_path), "read_only": True})
    assert collect_garbage(cache, clock=later) == []
    assert evict_calls(cache, Condition(function="f")) == []
    export_calls(cache, tmp_path / "calls.zip")
    with pytest.raises(CacheRefused, match="can only be read"):
        import_calls(cache, tmp_path / "calls.zip")
    with pytest.raises(CacheRefused, match="can only be read"):
        import_fleche(cache, tmp_path, dry_run=True)
    over_memory: Any = from_config([{"template": "memory"}, table(tmp_path)])
    with pytest.raises(CacheRefused, match="kept in memory"):
        import_calls(over_memory, tmp_path / "calls.zip", dry_run=True)
    assert names(cache) == {"f"}
