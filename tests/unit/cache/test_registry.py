"""Storages and serialisers are found by name, extensions' too."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from treadle.cache import registry
from treadle.cache.registry import CALL_STORAGES, CODECS, SPLITTERS, VALUE_STORAGES, Registry
from treadle.cache.storages.files import FileValues
from treadle.errors import AlreadyExists, CacheError, UnknownName


@pytest.mark.parametrize("registry", [CODECS, SPLITTERS, VALUE_STORAGES], ids=lambda one: one.kind)
def test_all_names_of_treadle_can_be_imported(registry: Registry[object]) -> None:
    assert len(registry.all()) == len(registry.names()) >= 4


def test_storages_have_the_names_of_the_configuration() -> None:
    assert VALUE_STORAGES.get("cloudpickle") is FileValues
    assert {"memory", "void", "pickle", "cloudpickle", "dill", "bagofholding_hdf"} <= set(
        VALUE_STORAGES.names()
    )
    assert {"memory", "void", "pickle", "cloudpickle", "dill", "sql"} <= set(CALL_STORAGES.names())
    for name in set(CALL_STORAGES.names()) - {"sql"}:
        assert CALL_STORAGES.get(name) is not None


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no values named 'cloudpikle'") as caught:
        VALUE_STORAGES.get("cloudpikle")
    assert caught.value.remedy == "Did you mean 'cloudpickle'?"
    with pytest.raises(UnknownName) as caught:
        CODECS.get("zzz")
    assert "cloudpickle, dill" in caught.value.remedy


def test_what_is_registered_is_found() -> None:
    numbers: Registry[int] = Registry("number", one="operator:index")
    numbers.register("two", 2)
    numbers.register("two", 2)

    assert numbers.get("two") == 2
    assert numbers.names() == ["one", "two"]
    for name in ("two", "one"):
        with pytest.raises(AlreadyExists, match=f"number named '{name}'"):
            numbers.register(name, 3)


def test_extensions_are_found_by_their_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("values.zarr", "collections:OrderedDict", registry.GROUP),
            EntryPoint("values.broken", "no_such_module:Values", registry.GROUP),
            EntryPoint("codec.json", "json:dumps", registry.GROUP),
        ]
    )
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: points.select(group=group))
    storages: Registry[object] = Registry("values")

    assert storages.names() == ["broken", "zarr"]
    assert storages.get("zarr").__name__ == "OrderedDict"  # type: ignore[attr-defined]  # it is a class
    with pytest.raises(CacheError, match="extension no_such_module:Values cannot be imported"):
        storages.get("broken")
