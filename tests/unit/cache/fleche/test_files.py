"""What fleche's files look like, and that they are read without fleche, or by those who have the key only."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import fleche.digest
import pytest
from fleche.storage.destructuring import DigestedDict, DigestedIterable

from treadle.cache.fleche.pickles import PickleFolder
from treadle.cache.fleche.records import OldDigest, Split
from treadle.cache.fleche.stored import FiledCalls, FiledValues
from treadle.cache.fleche.unpickling import CALLS, Damaged, pickle_in, unpickle
from treadle.cache.keys.digest import Digest
from treadle.cache.records import Argument, SealedCall
from treadle.cache.storages.ports import Template
from treadle.errors import NotCached

KEY, OTHER = b"first" * 6, b"other" * 6
Seal = Callable[..., SealedCall]


@attrs.frozen
class Sample:
    name: str
    weights: list[list[int]]


def repeat(text: str, times: int = 2) -> list[list[str]]:
    return [[text] * times, [text]]


def arrange(text: str) -> dict[str, object]:
    """Holds one of each that fleche splits: a dataclass, an attrs class, lists, tuples and dicts."""
    return {
        "record": Argument(text, Digest("a" * 64)),
        "sample": Sample(text, [[1], [2, [3]]]),
        "pair": ((text, (1,)), [[]]),
        "keys": {("a", ("b",)): {"x": {"y": text}}},
    }


def shout(text: str) -> str:
    return text.upper()


def test_what_was_split_is_put_together(recording: Any) -> None:
    key = Digest(recording.record(arrange, "a"))

    assert recording.layer().load(key).result() == arrange("a")


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_it_does_not_matter_how_deep_values_were_split(
    make_recording: Callable[..., Any], depth: int
) -> None:
    recording = make_recording("pickle", "pickle")
    values = recording.cache.values
    object.__setattr__(values, "remaining_depth", depth)

    key = Digest(recording.record(arrange, "a"))

    assert recording.layer().load(key).result() == arrange("a")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_compressed_and_signed_files_are_read_without_a_key(
    make_recording: Callable[..., Any], seal: Seal, compress: bool, signed: bool
) -> None:
    recording = make_recording("pickle", "pickle", compress=compress, secret_key=(KEY,) if signed else ())
    recording.record(shout, "a")

    assert recording.layer().lookup_call(seal(shout, "a")) is not None


@pytest.mark.parametrize("compress", [False, True])
def test_signatures_count_where_there_is_a_key(
    make_recording: Callable[..., Any], seal: Seal, compress: bool
) -> None:
    recording = make_recording("pickle", "pickle", compress=compress, secret_key=(KEY,))
    recording.record(shout, "a")
    call = seal(shout, "a")

    assert recording.layer(keys=(OTHER, KEY)).lookup_call(call) is not None
    assert recording.layer(keys=(OTHER,)).lookup_call(call) is None


def test_unsigned_and_altered_files_are_misses_where_there_is_a_key() -> None:
    signed, unsigned = b"pickle.", pickle.dumps(1)

    with pytest.raises(Damaged, match="not signed"):
        pickle_in(unsigned, (KEY,))
    with pytest.raises(Damaged, match="none of the keys"):
        pickle_in(signed + b"0" * 64, (KEY,))
    with pytest.raises(Damaged, match="decompressed"):
        pickle_in(gzip.compress(unsigned)[:-9], ())


def test_a_record_runs_nothing_that_it_brings(tmp_path: Path) -> None:
    key = Digest("a" * 64)
    (tmp_path / key).write_bytes(pickle.dumps(Exploding()))

    with pytest.raises(NotCached, match="may be unpickled"):
        FiledCalls(_calls_folder(tmp_path)).load(key)
    assert not (tmp_path / "exploded").exists()


def test_values_use_only_what_is_permitted(tmp_path: Path) -> None:
    key = Digest("a" * 64)
    (tmp_path / key).write_bytes(pickle.dumps(complex(1)))

    assert FiledValues(PickleFolder(tmp_path)).load(key) == 1
    with pytest.raises(NotCached, match=r"builtins\.complex is not among"):
        FiledValues(PickleFolder(tmp_path, permitted=CALLS)).load(key)


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", pickle.dumps(3), pickle.dumps({"name": "f"})], ids=repr
)
def test_what_is_no_record_is_a_miss(tmp_path: Path, content: bytes) -> None:
    key = Digest("a" * 64)
    (tmp_path / key).write_bytes(content)
    calls = FiledCalls(_calls_folder(tmp_path))

    with pytest.raises(NotCached):
        calls.load(key)
    assert list(calls.find()) == []


def test_other_files_in_the_folder_are_ignored(pickled: Any) -> None:
    key = Digest(pickled.record(shout, "a"))
    for name in (f".{key}", f"{key}.lock", "notes.txt", ".treadle"):
        (pickled.root / "calls" / name).write_text("x")
    (pickled.root / "calls" / ("b" * 64)).mkdir()

    assert [cached.record.key for cached in pickled.layer().find(Template())] == [key]


def test_a_digest_in_a_file_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "secret").write_bytes(pickle.dumps("secret"))

    with pytest.raises(NotCached):
        FiledValues(PickleFolder(tmp_path / "values")).load(Digest("../secret"))


def test_the_old_names_of_split_values_are_known() -> None:
    child = fleche.digest.Digest("c" * 64)
    for wrapper, whole in (
        (DigestedIterable(["x", child]), ["x", 7]),
        (DigestedDict({child: child}), {7: 7}),
    ):
        data = pickle.dumps(wrapper, protocol=2).replace(b"cfleche.storage.destructuring", b"cfleche.caches")
        split: Any = unpickle(data)

        assert _whole(split) == whole


def test_records_of_older_versions_lack_some_fields(tmp_path: Path) -> None:
    from fleche.call import DigestedCall

    from_fleche = fleche.digest.Digest
    record = DigestedCall(
        "f", {"x": from_fleche("b" * 64)}, from_fleche("c" * 64), defaultdict(dict, runtime={"walltime": 1})
    )
    del record.code_digest, record.version
    key = Digest("a" * 64)
    (tmp_path / key).write_bytes(pickle.dumps(record))

    call = FiledCalls(_calls_folder(tmp_path)).load(key)

    assert (call.name, call.version, call.code) == ("f", None, None)
    assert call.metadata == {"runtime": {"walltime": 1}}


WITHOUT_FLECHE = """
import sys
from pathlib import Path

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fleche":
            raise ModuleNotFoundError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Block())
from treadle.cache.fleche.layer import FlecheCache
from treadle.cache.fleche.opening import old_calls, old_values
from treadle.cache.storages.ports import Template

values, calls, root, place = sys.argv[1:]
layer = FlecheCache(old_values(values, Path(root) / "values"), old_calls(calls, place))
for cached in layer.find(Template()):
    print(cached.record.name, cached.arguments(), cached.result())
assert not any(name.partition(".")[0] == "fleche" for name in sys.modules)
"""


def test_records_are_read_where_fleche_is_not_installed(recording: Any) -> None:
    recording.record(repeat, "a")
    place = str(recording.calls_place)

    read = subprocess.run(
        [sys.executable, "-c", WITHOUT_FLECHE, recording.values, recording.calls, str(recording.root), place],
        capture_output=True,
        text=True,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    assert read.stdout == "repeat {'text': 'a', 'times': 2} [['a', 'a'], ['a']]\n"


class Exploding:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("exploded"),)


def _calls_folder(root: Path) -> PickleFolder:
    return PickleFolder(root, permitted=CALLS)


def _whole(split: Split) -> object:
    return split.whole({OldDigest("c" * 64): 7}.__getitem__)
