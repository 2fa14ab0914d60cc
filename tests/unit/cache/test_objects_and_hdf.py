"""What is particular to object stores and to HDF5."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.cache.storages.hdf import HdfValues
from treadle.cache.storages.objects import ObjectCalls, ObjectValues
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheUnavailable, NotCached, SettingsInvalid
from treadle.testing.cache import call_record, digest_of_text

VALUE = {"measured": [1.5, 2.5]}


@pytest.fixture
def _empty_memory() -> Iterator[None]:
    from fsspec.implementations.memory import MemoryFileSystem

    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def test_a_url_that_fsspec_does_not_know_is_an_error() -> None:
    with pytest.raises(SettingsInvalid, match=re.escape("nothing://bucket")):
        ObjectValues("nothing://bucket")


def test_what_a_store_raises_does_not_come_through(tmp_path: Path) -> None:
    (tmp_path / ".treadle").write_text("a file in place of the folder")
    values, calls = ObjectValues(f"file://{tmp_path}"), ObjectCalls(f"file://{tmp_path}")

    for act in (lambda: values.save(VALUE), lambda: calls.save(call_record())):
        with pytest.raises(CacheUnavailable) as caught:
            act()
        assert caught.value.detail
    with pytest.raises(NotCached):
        calls.load(digest_of_text("call"))
    assert list(values.entries()) == []


def test_an_object_is_complete_before_it_has_its_name(tmp_path: Path) -> None:
    values = ObjectValues(f"file://{tmp_path}")
    address = values.save(VALUE)
    folder = tmp_path / ".treadle" / "values" / address[:2]

    assert [path.name for path in folder.iterdir()] == [address[2:]]


def test_a_store_that_others_may_write_to_is_not_unpickled(tmp_path: Path) -> None:
    local = f"local://{tmp_path}"
    address = ObjectValues(local).save(VALUE)
    tmp_path.chmod(0o777)

    with pytest.raises(CacheUnavailable, match="everybody"):
        ObjectValues(local).load(address)
    assert ObjectValues(local, trusted=True).load(address) == VALUE


@pytest.mark.usefixtures("_empty_memory")
def test_a_store_elsewhere_needs_a_key(tmp_path: Path) -> None:
    """A `dir` file system stands for any other than this machine's disks and memory."""
    (tmp_path / "cache").mkdir()
    options = {"target_protocol": "memory", "path": "/cache"}
    keyless, keyed = (ObjectValues("dir://", options=options, keyring=Keyring(key)) for key in ([], [b"key"]))
    address = keyless.save(VALUE)

    with pytest.raises(CacheUnavailable, match="whoever may write to it"):
        keyless.load(address)
    keyless.evict(address)
    assert keyed.load(keyed.save(VALUE)) == VALUE


@pytest.mark.usefixtures("_empty_memory")
def test_objects_of_others_are_left_alone() -> None:
    import fsspec

    values = ObjectValues("memory://mixed")
    address = values.save(VALUE)
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/mixed/.treadle/values/{address[:2]}/README", b"")
    files.pipe_file("/mixed/other", b"")

    assert [entry.digest for entry in values.entries()] == [address]
    [entry] = values.entries()
    assert abs(entry.saved - time.time()) < 60


def test_a_value_can_be_looked_at_with_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    np = pytest.importorskip("numpy")
    storage = HdfValues(tmp_path, keyring=Keyring([b"key"]))
    address = storage.save({"array": np.arange(1000.0)})
    found: list[object] = []

    def note(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape == (1000,):
            found.append(item[:].sum())

    with h5py.File(storage.path(address)) as file:
        file.visititems(note)

    assert found == [499_500.0]
    assert storage.path(address).endswith(".h5")


@pytest.mark.parametrize("value", ["a\0b", lambda: 3], ids=["zero", "lambda"])
def test_what_hdf5_has_no_place_for_is_kept_all_the_same(tmp_path: Path, value: object) -> None:
    storage = HdfValues(tmp_path)
    loaded = storage.load(storage.save(value))

    assert loaded() == 3 if callable(loaded) else loaded == value


def test_without_a_folder_for_what_is_temporary_values_are_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    values = HdfValues(tmp_path)

    assert values.load(values.save(VALUE)) == VALUE


def test_a_user_block_grows_with_the_children(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    storage = HdfValues(tmp_path, depth=1)
    value = [np.full(3000, number) for number in range(30)]
    address = storage.save(value)
    loaded = storage.load(address)

    assert len(storage.children(address)) == 30
    assert isinstance(loaded, list)
    assert all((one == number).all() for number, one in enumerate(loaded))


def test_versions_of_packages_are_compared_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(SettingsInvalid, match="'exakt'"):
        HdfValues(tmp_path, version_validator="exakt")
    address = HdfValues(tmp_path).save([np.arange(5)])
    loose, exact = HdfValues(tmp_path, version_validator="none"), HdfValues(tmp_path)
    assert isinstance(exact.load(address), list)
    monkeypatch.setattr(np, "__version__", "99.0.0")

    assert isinstance(loose.load(address), list)
