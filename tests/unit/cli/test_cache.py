"""`treadle cache`: what a person does with caches, and what a program reads of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import treadle.cache as tc
from treadle.cache.config import load
from treadle.cli.amounts import age_seconds, size_bytes, size_text
from treadle.errors import UsageError


@tc.cached(version=3)
def scale(values: list[int], factor: int = 2) -> list[str]:
    return [str(value * factor) * 100 for value in values]


@tc.cached
def greet(name: str) -> str:
    return f"hello {name}"


@pytest.fixture
def used(tmp_path: Path) -> Any:
    """The configured cache with three calls in it."""
    (tmp_path / "fleche.toml").write_text(
        """
        [default]
        cache = "lab"
        [lab]
        template = "cloudpickle"
        root = "lab"
        [[both]]
        template = "memory"
        [[both]]
        template = "cloudpickle"
        root = "lab"
        read_only = true
        """
    )
    cache = load("lab")
    with tc.cache(cache):
        scale([1, 2])
        scale([3], factor=5)
        greet("you")
    return cache


def test_stats_show_every_layer_with_its_place(call: Any, used: Any, tmp_path: Path) -> None:
    [layer] = call("cache", "stats", "--json").data["layers"]
    assert (layer["calls"]["count"], layer["values"]["count"]) == (3, 4)
    assert layer["calls"]["place"] == str(tmp_path / "lab" / "calls")
    assert layer["calls"]["oldest"] <= layer["calls"]["used"] <= time.time()
    table = call("cache", "stats", "--cache", "both").out.splitlines()
    assert [line.split()[0] for line in table] == ["layer", "0", "0", "1", "1"]
    assert str(tmp_path / "lab" / "values") in table[4]
    assert used.contains(scale.key([1, 2]))


def test_query_lists_calls_by_function_and_argument(call: Any, used: Any) -> None:
    del used
    assert "greet" in call("cache", "query").out
    found = call("cache", "query", "--function", "scale", "--json").data["calls"]
    assert [one["version"] for one in found] == [3, 3]
    found = call("cache", "query", "--function", f"{__name__}.greet", "--json").data["calls"]
    assert [one["name"] for one in found] == ["greet"]
    by_argument = call("cache", "query", "--argument", "factor=5").out
    assert "factor=5" in by_argument
    assert "factor=2" not in by_argument
    by_text = call("cache", "query", "--argument", "name=you", "--json").data["calls"]
    assert [one["name"] for one in by_text] == ["greet"]
    by_list = call("cache", "query", "--argument", "values=[1, 2]", "--json").data["calls"]
    assert len(by_list) == 1
    assert call("cache", "query", "--function", "nothing").out == "No call matches.\n"
    assert len(call("cache", "query", "--limit", "1", "--json").data["calls"]) == 1
    assert call("cache", "query", "--argument", "five").code == 2


def test_evict_removes_what_is_named_and_says_how_much(call: Any, used: Any) -> None:
    would = call("cache", "evict", "--function", "scale", "--dry-run", "--json").data
    assert (would["dry_run"], would["removed"][0]["calls"], would["removed"][0]["values"]) == (True, 2, 4)
    assert used.contains(scale.key([1, 2]))
    said = call("cache", "evict", "--function", "scale", "--older-than", "1h")
    assert said.out.endswith("0 B are free.\n")
    said = call("cache", "evict", "--key", str(scale.key([1, 2]))[:10], "--json").data
    assert said["removed"][0]["calls"] == 1
    assert said["freed_bytes"] > 0
    assert not used.contains(scale.key([1, 2]))
    assert used.contains(scale.key([3], factor=5))
    call("cache", "evict", "--down-to", "0B")
    assert used.query().empty()


@pytest.mark.parametrize(
    "words", [[], ["--older-than", "soon"], ["--unused-for", "3"], ["--down-to", "much"], ["--down-to", "-1"]]
)
def test_evict_wants_to_be_told_what_and_in_words_it_knows(call: Any, used: Any, words: list[str]) -> None:
    assert call("cache", "evict", *words).code == 2
    assert used.query().count() == 3


def test_gc_removes_what_no_call_needs(call: Any, used: Any, tmp_path: Path) -> None:
    used.evict(scale.key([3], factor=5))
    for path in (tmp_path / "lab").rglob("*"):
        os.utime(path, (1e9, 1e9))
    would = call("cache", "gc", "--dry-run", "--json").data
    done = call("cache", "gc", "--json").data
    assert would["freed_bytes"] == done["freed_bytes"] > 0
    [part] = done["collected"]
    assert (part["values"], part["kept"]) == (2, 2)
    with tc.cache(used):
        assert scale.load([1, 2])


def test_verify_ends_with_1_if_something_is_damaged(call: Any, used: Any, tmp_path: Path) -> None:
    assert call("cache", "verify").out.endswith("All is sound.\n")
    value = next(path for path in (tmp_path / "lab" / "values").rglob("*") if path.is_file())
    value.write_bytes(value.read_bytes()[:-1])
    said = call("cache", "verify", "--json")
    assert said.code == 1
    assert said.data["sound"] is False
    assert len(said.data["parts"][0]["damaged_values"]) == 1
    assert used.query().count() == 3


def test_cache_on_another_machine_is_looked_after_there(call: Any, tmp_path: Path) -> None:
    (tmp_path / "fleche.toml").write_text('[far]\ntype = "ssh"\nhost = "nowhere.invalid"\n')
    assert "verify it there" in call("cache", "verify", "--cache", "far").out
    assert "sound" not in call("cache", "verify", "--cache", "far").out
    for words in (["gc"], ["evict", "--function", "f"]):
        assert "on another machine" in call("cache", *words, "--cache", "far").out


def test_archive_is_exported_and_imported(call: Any, used: Any, tmp_path: Path) -> None:
    del used
    written = call("cache", "export", "calls.zip", "--function", "scale", "--json").data
    assert (written["calls"], written["values"]) == (2, 4)
    (tmp_path / "fleche.toml").write_text('[other]\ntemplate = "cloudpickle"\nroot = "other"\n')
    would = call("cache", "import", "calls.zip", "--cache", "other", "--dry-run", "--json").data
    assert (would["calls"], would["there"]) == (2, 0)
    assert call("cache", "import", "calls.zip", "--cache", "other").out == (
        "Taken over: 2 calls; there already: 0.\n"
    )
    with tc.cache(load("other")):
        assert scale.load([1, 2]) == ["2" * 100, "4" * 100]
        assert not greet.contains("you")
    assert call("cache", "import", "missing.zip").code == 2


@pytest.mark.parametrize("calls", ["sql", "pickle"])
def test_what_fleche_recorded_is_imported_and_its_files_stay_as_they_are(
    call: Any, tmp_path: Path, calls: str
) -> None:
    import fleche
    from fleche.config import cache_from_config

    old = tmp_path / "old"
    template = {"template": calls, "root": str(old)} | ({"values": "pickle"} if calls == "sql" else {})
    recorded = cache_from_config(template)
    with fleche.cache(recorded):
        fleche.fleche(version=1)(shout)("hello")
        fleche.fleche(version=1)(shout)(5)
    if calls == "sql":
        recorded.calls.engine.dispose()
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    would = call("cache", "import", "old", "--dry-run", "--json").data
    assert (would["calls"], would["unsure"], would["there"]) == (1, 1, 0)
    said = call("cache", "import", "old")
    assert "Taken over: 1 call;" in said.out
    assert "Left out, as fleche's digests could be" in said.out
    assert call("cache", "import", "old", "--json").data["there"] == 1
    [taken] = call("cache", "query", "--json").data["calls"]
    assert (taken["name"], taken["provenance"][:6]) == ("shout", "fleche")
    trusted = call("cache", "import", "old", "--trust-recorded", "--json").data
    assert (trusted["calls"], trusted["there"]) == (1, 1)
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    calls_made.clear()
    with tc.cache(load()):
        assert tc.cached(version=1)(shout)("hello") == "hello!"
    assert calls_made == []
    assert call("cache", "import", "home", "--json").code == 2


calls_made: list[object] = []


def shout(what: object) -> str:
    calls_made.append(what)
    return f"{what}!"


def test_cache_that_fleche_used_serves_its_calls_and_keeps_a_copy(tmp_path: Path) -> None:
    import fleche
    from fleche.config import cache_from_config

    text = '[lab]\ntemplate = "pickle"\nroot = "lab"\n'
    with fleche.cache(cache_from_config({"template": "pickle", "root": str(tmp_path / "lab")})):
        fleche.fleche(version=1)(shout)("hello")
    (tmp_path / "fleche.toml").write_text(text)
    before = {path: path.read_bytes() for path in tmp_path.rglob("lab/*/*") if path.is_file()}
    calls_made.clear()
    cached = tc.cached(version=1)(shout)
    with tc.cache("lab"):
        assert cached("hello") == "hello!"
        assert cached("new") == "new!"
        assert calls_made == ["new"]
        assert cached.contains("hello")
    assert {path: path.read_bytes() for path in before} == before
    with tc.cache(load("lab").inner):  # type: ignore[attr-defined]
        assert cached("hello") == "hello!"
    assert calls_made == ["new"]


def test_missing_cache_is_one_sentence_that_says_where_it_was_looked_for(call: Any, tmp_path: Path) -> None:
    said = call("cache", "stats", "--cache", "lost")
    assert said.code == 2
    assert said.err.startswith(f"Error: In {tmp_path}/home/treadle.toml, ")
    assert "there is no cache 'lost'" in said.err
    assert json.loads(call("cache", "stats", "--cache", "lost", "--json").out)["error"]["kind"] == (
        "SettingsInvalid"
    )


def test_amounts_are_read_and_written_as_people_do() -> None:
    assert [age_seconds("", text) for text in ("1w", "2d", "1.5h", "5m", "9s")] == [
        604_800,
        172_800,
        5400,
        300,
        9,
    ]
    sizes = {"0B": 0, "7": 7, "2kB": 2000, "1.5 GB": 1_500_000_000, "2MiB": 2 << 20, "1T": 10**12}
    assert {text: size_bytes("", text) for text in sizes} == sizes
    assert [size_text(size) for size in (0, 999, 1500, 2_000_000, 3 * 10**9, 4 * 10**12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.0 MB",
        "3.0 GB",
        "4.0 TB",
    ]
    with pytest.raises(UsageError):
        age_seconds("--older-than", "1 fortnight")
