"""Tables as caches, and caches as tables."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.cache.caches.cache import Cache
from treadle.cache.caches.filtered import Filtered
from treadle.cache.caches.limited import Limited
from treadle.cache.caches.pool import Pool
from treadle.cache.caches.read_only import ReadOnly
from treadle.cache.caches.ssh import Ssh
from treadle.cache.caches.stack import Stack
from treadle.cache.config import from_config, load, load_collectors, to_config
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.values.keyring import Keyring
from treadle.errors import SettingsInvalid

MEMORY = {"values": {"type": "memory"}, "calls": {"type": "memory"}}

storages = st.sampled_from(["memory", "void", "pickle", "cloudpickle", "dill", "bagofholding_hdf", "objects"])
limits = st.fixed_dictionaries(
    {},
    optional={
        "max_size": st.integers(0, 9),
        "max_bytes": st.integers(0, 10**12),
        "max_age": st.integers(0, 99),
        "read_only": st.just(True),
    },
)


@st.composite
def values_tables(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(storages)
    table: dict[str, object] = {"type": kind}
    if kind == "memory" and draw(st.booleans()):
        table["remaining_depth"] = draw(st.integers(0, 3))
    if kind in ("pickle", "cloudpickle", "dill"):
        table["root"] = "/somewhere/" + draw(st.text("abc", min_size=1))
        optional = {
            "compress": st.sampled_from([True, "lzma"]),
            "remaining_depth": st.sampled_from([0, 2, 3]),
            "secret_key": st.lists(st.binary(min_size=1).map(bytes.hex), min_size=1, max_size=2),
            "trusted": st.just(True),
            "allow": st.just(["shop.orders.*"]),
        }
        table |= draw(st.fixed_dictionaries({}, optional=optional))
    if kind == "bagofholding_hdf":
        table["root"] = "/somewhere/hdf"
        optional = {"version_validator": st.just("none"), "remaining_depth": st.just(2)}
        table |= draw(st.fixed_dictionaries({}, optional=optional))
    if kind == "objects":
        table["url"] = "memory://bucket"
        optional = {"codec": st.just("dill"), "options": st.just({"anon": True}), "trusted": st.just(True)}
        table |= draw(st.fixed_dictionaries({}, optional=optional))
    return table


@st.composite
def calls_tables(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(["memory", "void", "cloudpickle", "sql", "objects"]))
    table: dict[str, object] = {"type": kind}
    if kind == "objects":
        table["url"] = "memory://bucket"
    if kind == "cloudpickle":
        table["root"] = "/somewhere/" + draw(st.text("abc", min_size=1))
    if kind == "sql":
        table["url"] = "sqlite:////somewhere/calls.db"
    if kind in ("cloudpickle", "sql") and draw(st.booleans()):
        table["secret_key"] = ["c0ffee"]
    return table


@st.composite
def plain_tables(draw: st.DrawFn) -> dict[str, object]:
    return {"values": draw(values_tables()), "calls": draw(calls_tables()), **draw(limits)}


ssh_tables = st.fixed_dictionaries(
    {"type": st.just("ssh"), "host": st.just("me@host")},
    optional={
        "cache_name": st.just("shared"),
        "python": st.just("~/venv/bin/python"),
        "ssh_options": st.just(["-p", "2222"]),
        "setup_commands": st.just(["module load python"]),
        "workdir": st.just("~/project"),
    },
)
one = st.one_of(plain_tables(), ssh_tables)
tables = st.one_of(
    one,
    st.lists(one, min_size=1, max_size=3),
    st.lists(one, min_size=1, max_size=3).map(lambda members: {"pool": members}),
)


@given(tables)
def test_a_cache_made_of_tables_is_described_by_the_same_tables(described: Any) -> None:
    assert to_config(from_config(described)) == described


def test_caches_made_in_code_are_described_by_tables_that_make_equal_ones(tmp_path: Any) -> None:
    keyring = Keyring([b"key", b"older"])
    files = Cache(
        FileValues(tmp_path, codec="pickle", keyring=keyring, depth=2, compress=True), FileCalls(tmp_path)
    )
    plain = Cache(MemoryValues(depth=3), MemoryCalls())
    cache = Stack([Limited(plain, max_size=4), ReadOnly(files), Pool([plain]), Ssh("host", workdir="w")])
    described = to_config(cache)
    assert described == [
        {"values": {"type": "memory", "remaining_depth": 3}, "calls": {"type": "memory"}, "max_size": 4},
        {
            "values": {
                "type": "pickle",
                "root": str(tmp_path),
                "compress": True,
                "secret_key": ["6b6579", "6f6c646572"],
                "remaining_depth": 2,
            },
            "calls": {"type": "cloudpickle", "root": str(tmp_path)},
            "read_only": True,
        },
        {"pool": [{"values": {"type": "memory", "remaining_depth": 3}, "calls": {"type": "memory"}}]},
        {"type": "ssh", "host": "host", "workdir": "w"},
    ]
    again = from_config(described)
    assert to_config(again) == described
    assert repr(again) == repr(cache).replace(repr(plain), "…") or isinstance(again, Stack)


def test_what_only_code_can_make_has_no_tables() -> None:
    plain = from_config(MEMORY)
    with pytest.raises(SettingsInvalid, match="Filtered can be made in code only"):
        to_config(Filtered(plain, lambda _: True))
    with pytest.raises(SettingsInvalid, match="remaining_depth is None"):
        to_config(Cache(FileValues("/somewhere", depth=None), MemoryCalls()))


@pytest.mark.parametrize(
    ("template", "values", "calls"),
    [
        ({"template": "memory"}, {"type": "memory"}, {"type": "memory"}),
        *(
            (
                {"template": kind, "root": "/r"},
                {"type": kind, "root": "/r/values"},
                {"type": "cloudpickle", "root": "/r/calls"},
            )
            for kind in ("pickle", "cloudpickle", "dill", "bagofholding_hdf")
        ),
        (
            {"template": "sql", "root": "/r"},
            {"type": "bagofholding_hdf", "root": "/r/values"},
            {"type": "sql", "url": "sqlite:////r/calls.db"},
        ),
        (
            {"template": "sql", "root": "/r", "values": "pickle"},
            {"type": "pickle", "root": "/r/values"},
            {"type": "sql", "url": "sqlite:////r/calls.db"},
        ),
        (
            {"template": "sql", "root": "/r", "values": "dill", "url": "sqlite:////other.db"},
            {"type": "dill", "root": "/r/values"},
            {"type": "sql", "url": "sqlite:////other.db"},
        ),
    ],
)
def test_templates_stand_for_two_storages(template: Any, values: Any, calls: Any) -> None:
    assert to_config(from_config(template)) == {"values": values, "calls": calls}
    limited = to_config(from_config({**template, "read_only": True, "max_size": 5}))
    assert limited == {"values": values, "calls": calls, "max_size": 5, "read_only": True}


def test_layers_are_what_the_shape_of_the_tables_says() -> None:
    cache = from_config([{**MEMORY, "max_size": 3}, {"pool": [MEMORY]}, {**MEMORY, "read_only": True}])
    assert isinstance(cache, Stack)
    first, second, third = cache.layers
    assert isinstance(first, Limited)
    assert isinstance(second, Pool)
    assert isinstance(third, ReadOnly)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({**MEMORY, "maxsize": 3}, "cache: there is no key 'maxsize'; the nearest is 'max_size'."),
        ({"values": {"type": "memroy"}, "calls": {"type": "memory"}}, "the nearest is 'memory'"),
        ({"values": {"type": "Memory"}, "calls": {"type": "memory"}}, "no storage of values 'Memory'"),
        ({"values": {"type": "sql"}, "calls": {"type": "sql"}}, "no storage of values 'sql'"),
        ({"values": {"type": "pickle"}, "calls": {"type": "memory"}}, "cache.values: root is required"),
        ({"values": {"type": "pickle", "root": "/r", "rot": 1}, "calls": {"type": "memory"}}, "'root'"),
        ({"values": {"type": "memory"}}, "calls.type is missing"),
        ({"vlaues": {"type": "memory"}}, "no key 'vlaues'; the nearest is 'values'"),
        ({**MEMORY, "max_size": True}, "max_size cannot be True"),
        ({**MEMORY, "max_size": -1}, "max_size cannot be -1"),
        ({**MEMORY, "max_age": "1d"}, "max_age cannot be '1d'"),
        ({**MEMORY, "read_only": "yes"}, "read_only cannot be 'yes'"),
        ({"template": "cloudpickel", "root": "/r"}, "the nearest is 'cloudpickle'"),
        ({"template": "cloudpickle"}, "root is required"),
        ({"template": "memory", "root": "/r"}, "no key 'root'"),
        ({"template": "pickle", "root": "/r", "compress": True}, "no key 'compress'"),
        ({"type": "shh", "host": "h"}, "no type of cache 'shh'; the nearest is 'ssh'"),
        ({"type": "ssh"}, "host is required"),
        ({"type": "ssh", "host": "-oProxyCommand=x"}, "host cannot be"),
        ({"type": "ssh", "host": "h", "max_size": 3}, "no key 'max_size'"),
        ({"type": "ssh", "host": "h", "ssh_options": "-p 22"}, "ssh_options cannot be"),
        ({"pool": []}, "pool cannot be"),
        ({"pool": [MEMORY], "max_size": 3}, "no key 'max_size'"),
        ([], "a stack needs a layer"),
        ([[MEMORY]], "stack cannot be a layer of a stack"),
        ("memory", "is no table"),
        ({"values": "pickle", "calls": "pickle"}, "Write [cache.values] and its keys."),
    ],
)
def test_wrong_tables_are_refused_with_place_and_reason(table: Any, said: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        from_config(table)
    assert said in str(caught.value)


def test_secret_is_not_shown_even_if_it_is_wrong() -> None:
    for wrong in ("c0ffee", ["hidden"], [""]):
        table = {"values": {"type": "pickle", "root": "/r", "secret_key": wrong}, "calls": {"type": "memory"}}
        with pytest.raises(SettingsInvalid) as caught:
            from_config(table)
        assert "hidden" not in str(caught.value)
        assert "c0ffee" not in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        {"template": "sql", "root": "/r", "values": {"type": "pickle", "secret_key": ["hidden"]}},
        {"pool": {"values": {"type": "pickle", "secret_key": ["hidden"]}}},
        {**MEMORY, "max_size": [{"secret_key": ["hidden"]}]},
    ],
)
def test_secret_within_a_table_in_the_wrong_place_is_not_shown(table: Any) -> None:
    with pytest.raises(SettingsInvalid, match="table") as caught:
        from_config(table)
    assert "hidden" not in str(caught.value)


def test_keys_of_the_environment_sign_where_a_storage_has_none_of_its_own(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table: Any = {"values": {"type": "pickle", "root": str(tmp_path)}, "calls": {"type": "memory"}}
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6b6579:6f6c64")
    signed: Any = from_config(table)
    assert to_config(signed) == table
    address = signed.values.save(["signed"])
    own = {"values": {**table["values"], "secret_key": ["6f776e"]}, "calls": table["calls"]}
    with pytest.raises(Exception, match="damaged"):
        from_config(own).load_value(address)  # it is signed with another key
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6b6579")
    again = from_config(table).values.save(["signed"])
    monkeypatch.setenv("FLECHE_SECRET_KEY", "6e6577:6b6579")
    assert from_config(table).load_value(again) == ["signed"]


def test_keys_that_have_no_effect_any_more_are_accepted_with_one_warning(tmp_path: Any) -> None:
    table = {
        "values": {"type": "pickle", "root": str(tmp_path), "lock_timeout": 3.0},
        "calls": {"type": "memory"},
    }
    with pytest.warns(FutureWarning, match="lock_timeout has no effect"):
        cache = from_config(table)
    assert "lock_timeout" not in str(to_config(cache))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_config(table)


def test_collectors_are_those_that_the_configuration_names(place: Any) -> None:
    assert [collector.name for collector in load_collectors()] == ["runtime"]
    path = place.write("fleche.toml", '[default]\nmetadata = ["Git", "Environment"]\n')
    assert [collector.name for collector in load_collectors()] == ["git", "environment"]
    path.write_text("[default]\nmetadata = []\n")
    assert load_collectors() == ()
    path.write_text('[default]\nmetadata = ["Runtme"]\n')
    with pytest.raises(SettingsInvalid, match="no collector 'Runtme'; the nearest is 'Runtime'"):
        load_collectors()
    path.write_text("[default]\nchache = 3\n")
    with pytest.raises(SettingsInvalid, match="no key 'chache'; the nearest is 'cache'"):
        load()
    path.write_text('[default]\ncache = "default"\n')
    with pytest.raises(SettingsInvalid, match="name of the table itself"):
        load()
