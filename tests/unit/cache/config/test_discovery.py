"""Which files count, and which of equal tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from treadle.cache.config import describe_configuration, load, read_configuration, to_config
from treadle.cache.config.files import treadle_home
from treadle.errors import SettingsInvalid
from treadle.settings import load_settings

MEMORY = 'values.type = "memory"\ncalls.type = "memory"\n'


def table(name: str, root: str) -> str:
    return f'[{name}]\ntemplate = "cloudpickle"\nroot = "{root}"\n'


def root_of(name: str | None = None) -> str:
    tables: Any = to_config(load(name))
    return str(tables["values"]["root"]).removesuffix("/values")


def test_without_any_file_values_and_calls_are_in_the_home_folder_of_treadle(place: Any) -> None:
    assert to_config(load()) == {
        "values": {"type": "cloudpickle", "root": f"{place.home}/treadle/cache/values"},
        "calls": {"type": "sql", "url": f"sqlite:///{place.home}/treadle/cache/calls.db"},
    }


def test_closest_file_wins_whole_tables_and_others_add_theirs(place: Any) -> None:
    place.write("fleche.toml", '[default]\ncache = "a"\n' + table("a", "near"))
    place.write("../fleche.toml", '[default]\nmetadata = ["Git"]\n' + table("a", "far") + table("b", "far-b"))
    place.write("../../.config/fleche/cache.toml", table("b", "xdg") + table("c", "xdg-c"))
    assert root_of() == f"{place.project}/near"
    assert root_of("b") == f"{place.project.parent}/far-b"
    assert root_of("c") == f"{place.home}/.config/fleche/xdg-c"
    assert read_configuration().tables["default"] == {"cache": "a"}


def test_walk_ends_at_the_home_folder(place: Any) -> None:
    (place.home.parent / "fleche.toml").write_text(table("outside", "x"))
    place.write("../../fleche.toml", table("inside", "x"))
    assert set(read_configuration().tables) == {"inside"}


def test_root_ends_the_walk_at_its_file(place: Any) -> None:
    place.write("fleche.toml", "[default]\nroot = true\n" + table("a", "x"))
    place.write("../fleche.toml", table("b", "x"))
    place.write("../../.config/fleche/cache.toml", table("c", "x"))
    place.write("../../treadle/treadle.toml", table("cache.d", "x"))
    assert set(read_configuration().tables) == {"default", "a"}
    with pytest.raises(SettingsInvalid) as caught:
        load("b")
    assert str(caught.value).startswith(f"In {place.project}/fleche.toml: there is no cache 'b'")


def test_treadle_toml_says_the_same_under_cache_and_comes_first_in_its_folder(place: Any) -> None:
    place.write("treadle.toml", 'workers = 2\n[cache.default]\ncache = "a"\n' + table("cache.a", "ours"))
    place.write("fleche.toml", table("a", "theirs") + table("b", "theirs-b"))
    place.write("../treadle.toml", table("cache.b", "far"))
    assert root_of() == f"{place.project}/ours"
    assert root_of("b") == f"{place.project}/theirs-b"
    assert load_settings().workers == 2


def test_treadle_toml_of_the_home_folder_counts_after_all_others_but_the_users_fleche(place: Any) -> None:
    place.write("../../treadle/treadle.toml", table("cache.a", "home") + table("cache.b", "home"))
    place.write("../../.config/fleche/cache.toml", table("a", "xdg") + table("c", "xdg"))
    place.write("fleche.toml", table("b", "near"))
    assert root_of("a") == f"{place.home}/treadle/home"
    assert root_of("b") == f"{place.project}/near"
    assert root_of("c") == f"{place.home}/.config/fleche/xdg"


def test_xdg_folder_is_where_its_variable_says(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("elsewhere/fleche/cache.toml", table("a", "x"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place.project / "elsewhere"))
    assert root_of("a") == f"{place.project}/elsewhere/fleche/x"
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert "a" not in read_configuration().tables


@pytest.mark.parametrize(
    "text", ['home = "own"\n', 'home = "~/own"\n', 'home = "/own"\n', "workers = 1\n", ""]
)
@pytest.mark.parametrize("variable", ["", "/given", "~/given"])
def test_home_folder_is_that_of_the_settings(
    place: Any, text: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_HOME", variable) if variable else monkeypatch.delenv("TREADLE_HOME")
    if text:
        place.write("../treadle.toml", text)
    assert treadle_home(Path.cwd()) == load_settings().home


def test_relative_places_are_relative_to_their_file(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(
        "fleche.toml",
        """
        [files]
        values = { type = "pickle", root = "v" }
        calls = { type = "sql", url = "sqlite:///c.db" }
        [bare]
        values = { type = "pickle", root = "~/v" }
        calls = { type = "sql", url = "c.db" }
        [elsewhere]
        values = { type = "pickle", root = "/abs" }
        calls = { type = "sql", url = "sqlite:////abs/c.db" }
        [other]
        values = { type = "memory" }
        calls = { type = "sql", url = "sqlite:///:memory:" }
        [bare_memory]
        values = { type = "memory" }
        calls = { type = "sql", url = ":memory:" }
        [[stack]]
        template = "pickle"
        root = "s"
        [default]
        cache = { template = "pickle", root = "d" }
        """,
    )
    (place.project / "below").mkdir()
    monkeypatch.chdir(place.project / "below")
    tables: Any = read_configuration().tables
    assert tables["files"]["values"]["root"] == f"{place.project}/v"
    assert tables["files"]["calls"]["url"] == f"sqlite:///{place.project}/c.db"
    assert tables["bare"]["values"]["root"] == "~/v"
    assert tables["bare"]["calls"]["url"] == f"{place.project}/c.db"
    assert tables["elsewhere"]["values"]["root"] == "/abs"
    assert tables["elsewhere"]["calls"]["url"] == "sqlite:////abs/c.db"
    assert tables["other"]["calls"]["url"] == "sqlite:///:memory:"
    assert tables["bare_memory"]["calls"]["url"] == ":memory:"
    assert tables["stack"][0]["root"] == f"{place.project}/s"
    assert root_of() == f"{place.project}/d"
    assert root_of("bare") == f"{place.home}/v"


def test_a_folder_that_cannot_be_looked_into_is_named(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("fleche.toml", f"[a]\n{MEMORY}")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/" + "x" * 300)
    with pytest.raises(SettingsInvalid, match=r"cache.toml cannot be looked for"):
        load("a")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("fleche.toml", "[a\n", "is not valid TOML"),
        ("treadle.toml", "cache = 3\n", "cache is no table"),
        ("fleche.toml", "a = 3\n", "is no table"),
    ],
)
def test_broken_file_is_an_error_that_names_it(place: Any, name: str, text: str, said: str) -> None:
    path = place.write(name, text)
    with pytest.raises(SettingsInvalid, match=said) as caught:
        load("a")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("values", "calls", "said"),
    [
        (
            '{ type = "pickle", root = "v", compress = "gzip" }',
            '{ type = "memory" }',
            "compression named 'gzip'",
        ),
        ('{ type = "pickle", root = "v", secret_key = ["no"] }', '{ type = "memory" }', "not hexadecimal"),
        ('{ type = "memory" }', '{ type = "sql", url = "mysql://host/db" }', "does not keep calls in mysql"),
        ('{ type = "memory" }', '{ type = "sql", url = "sqlite:///c.db?mode=ro" }', "has options"),
    ],
)
def test_what_only_shows_when_the_cache_is_made_is_an_error_that_names_the_file(
    place: Any, values: str, calls: str, said: str
) -> None:
    path = place.write("fleche.toml", f"[a]\nvalues = {values}\ncalls = {calls}\n")
    with pytest.raises(SettingsInvalid, match=said) as caught:
        load("a")
    assert caught.value.what.startswith(f"{path} [a]: ")


def test_wrong_key_of_the_environment_is_named_and_not_shown(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("fleche.toml", f"[a]\n{MEMORY}")
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6b6579:hidden")
    with pytest.raises(SettingsInvalid, match="FLECHE_SECRET_KEY") as caught:
        load("a")
    assert "hidden" not in str(caught.value)


def test_missing_name_is_an_error_that_says_where_it_was_looked_for(place: Any) -> None:
    near = place.write("fleche.toml", f"[shared]\n{MEMORY}")
    with pytest.raises(SettingsInvalid) as caught:
        load("sharde")
    assert caught.value.what == (
        f"In {near}, {place.home}/treadle/treadle.toml, {place.home}/.config/fleche/cache.toml: "
        "there is no cache 'sharde'; the nearest is 'shared'."
    )
    assert caught.value.remedy == "Valid there: shared, memory, void."


def test_another_users_file_is_not_followed(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.write("fleche.toml", table("a", "x") + '[b]\ntype = "ssh"\nhost = "h"\n')
    if os.getuid() == 0:
        os.chown(path, 4242, -1)  # root's files are followed
    strangers = path.stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: strangers + 1)
    assert root_of("a") == f"{place.project}/x"
    with pytest.raises(SettingsInvalid, match="starts no program"):
        load("b")
    path.parent.chmod(0o1777)
    with pytest.raises(SettingsInvalid, match="another user"):
        load("a")
    path.rename(path.with_name("treadle.toml"))
    path.parent.chmod(0o755)
    with pytest.raises(SettingsInvalid, match="another user"):
        load("a")


def test_reserved_names_are_always_there(place: Any) -> None:
    assert to_config(load("memory")) == {"values": {"type": "memory"}, "calls": {"type": "memory"}}
    assert to_config(load("void")) == {"values": {"type": "void"}, "calls": {"type": "void"}}
    place.write("fleche.toml", '[default]\ncache = "void"\n' + table("memory", "x"))
    assert load() is load("void") is load("default")
    assert to_config(load("memory"))["values"] == {"type": "memory"}


def test_same_name_and_tables_are_the_same_cache(place: Any) -> None:
    path = place.write("fleche.toml", f"[a]\n{MEMORY}[b]\n{MEMORY}")
    assert load("a") is load("a", start=place.project)
    assert load("a") is not load("b")
    first = load("a")
    path.write_text(f"[a]\n{MEMORY}max_size = 3\n")
    assert load("a") is not first


def test_every_key_is_shown_with_its_file_and_no_secret(place: Any) -> None:
    near = place.write(
        "fleche.toml",
        """
        [default]
        cache = "a"
        [a]
        values = { type = "pickle", root = "v", secret_key = ["c0ffee"] }
        calls = { type = "sql", url = "postgresql://me:hidden@db/calls?user=me&password=hidden" }
        max_bytes = 5
        [b]
        values = { type = "objects", url = "s3://b", options = { anon = false, account_key = "hidden" } }
        calls = { type = "memory" }
        """,
    )
    far = place.write("../treadle.toml", '[[cache.s]]\ntemplate = "memory"\n')
    rows = [(row.name, row.value, row.source) for row in describe_configuration()]
    assert rows == [
        ("default.cache", "a", str(near)),
        ("a.values.type", "pickle", str(near)),
        ("a.values.root", f"{place.project}/v", str(near)),
        ("a.values.secret_key", "***", str(near)),
        ("a.calls.type", "sql", str(near)),
        ("a.calls.url", "postgresql://me:***@db/calls?user=me&password=***", str(near)),
        ("a.max_bytes", "5", str(near)),
        ("b.values.type", "objects", str(near)),
        ("b.values.url", "s3://b", str(near)),
        ("b.values.options.anon", "false", str(near)),
        ("b.values.options.account_key", "***", str(near)),
        ("b.calls.type", "memory", str(near)),
        ("s[0].template", "memory", str(far)),
    ]


def test_default_cache_is_shown_where_no_file_names_one(place: Any) -> None:
    rows = {row.name: (row.value, row.source) for row in describe_configuration()}
    url = f"sqlite:///{place.home}/treadle/cache/calls.db"
    assert rows["default.cache.calls.url"] == (url, "default")
