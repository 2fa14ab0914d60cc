"""Messages between machines, the command that leads there, and what happens when either goes wrong."""

from __future__ import annotations

import io
import json
import shlex
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from treadle.cache.caches.cache import Cache
from treadle.cache.config import from_config
from treadle.cache.keys.digest import Digest
from treadle.cache.remote.command import ssh_words
from treadle.cache.remote.connection import Connection
from treadle.cache.remote.server import Answers, serve
from treadle.cache.remote.wire import GREETING, Malformed, Message, decode, encode, error_message, raise_error
from treadle.errors import CacheError, CacheRefused, CacheUnavailable, NotCached, SettingsInvalid


def through(message: Message) -> Message:
    return decode(io.BytesIO(b"".join(encode(message))).read)


def test_message_arrives_as_it_was_sent() -> None:
    sent = Message({"ask": "x", "n": [1, None, "é"]}, [b"", b"\x00" * 300, b"end"])
    assert through(sent) == sent
    header = json.dumps({"ask": "x", "bytes": [3]}).encode()
    by_hand = struct.pack(">I", len(header)) + header + b"abc"
    assert decode(io.BytesIO(by_hand).read) == Message({"ask": "x"}, [b"abc"])


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 1 << 31),
        struct.pack(">I", 3) + b"abc",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 14) + b'{"bytes":[-1]}',
        struct.pack(">I", 15) + b'{"bytes":["3"]}',
        struct.pack(">I", 11) + b'{"bytes":3}',
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(io.BytesIO(data).read)


@pytest.mark.parametrize(
    "error", [NotCached("gone"), CacheRefused("no"), CacheUnavailable("away"), Malformed("?")]
)
def test_error_arrives_as_its_kind(error: CacheError) -> None:
    kind = CacheUnavailable if isinstance(error, Malformed) else type(error)
    with pytest.raises(kind, match=error.what.replace("?", r"\?")):
        raise_error(through(error_message(error)))
    raise_error(through(Message({})))


def test_error_that_nobody_knows_names_no_class_of_ours() -> None:
    with pytest.raises(CacheUnavailable, match="surprise"):
        raise_error(Message({"error": {"kind": "SystemExit", "what": "surprise"}}))


def test_words_for_the_shell_are_quoted_and_options_stay_before_ours() -> None:
    words = ssh_words(
        "me@host",
        cache_name="a b",
        python="~/my env/bin/python",
        ssh_options=["-p", "22"],
        setup_commands=["module load x", "y=1"],
        workdir="/data/it's",
    )
    assert words[:3] == ["ssh", "-p", "22"]
    assert words[-3:-1] == ["--", "me@host"]
    assert words.index("BatchMode=yes") > words.index("22")
    lines = words[-1].split(" && ")
    assert lines[:2] == ["module load x", "y=1"]
    assert shlex.split(lines[2]) == ["cd", "/data/it's"]
    assert lines[3].startswith("exec ~/'my env/bin/python' ")
    assert shlex.split(lines[3])[2:] == ["-m", "treadle.cache", "remote", "--serve", "--cache", "a b"]


@pytest.mark.parametrize(
    ("folder", "quoted"),
    [("~", "~"), ("~/", "~/"), ("~jane/x y", "~jane/'x y'"), ("-p", "./-p"), ("~$(x)/y", "'~$(x)/y'")],
)
def test_only_a_home_folder_is_left_to_the_shell(folder: str, quoted: str) -> None:
    assert f"cd {quoted} && " in ssh_words("host", workdir=folder)[-1]


def memory() -> Cache:
    cache = from_config({"template": "memory"})
    assert isinstance(cache, Cache)
    return cache


def served(*questions: Message, cache: Any = None, raw: bytes = b"") -> list[Message]:
    """What a server answers, its greeting included."""
    written = io.BytesIO()
    asked = b"".join(b"".join(encode(question)) for question in questions)
    serve(lambda: cache or memory(), io.BytesIO(asked + raw), written)
    assert written.getvalue().startswith(GREETING)
    reading = io.BytesIO(written.getvalue()[len(GREETING) :])
    answers = []
    while reading.tell() < len(reading.getvalue()):
        answers.append(decode(reading.read))
    return answers


def test_server_answers_what_it_knows_and_refuses_what_it_does_not() -> None:
    key = Digest("ab" * 32)
    greeting, missing, unknown, wrong = served(
        Message({"ask": "has_record", "key": key}),
        Message({"ask": "__reduce__"}),
        Message({"ask": "has_record", "key": "short"}),
    )
    assert greeting.header == {"protocol": 1, "read_only": False}
    assert missing.header == {"there": False}
    with pytest.raises(CacheUnavailable, match="does not know the question '__reduce__'"):
        raise_error(unknown)
    with pytest.raises(CacheUnavailable, match="wrong digest"):
        raise_error(wrong)


def test_server_ends_where_what_comes_is_no_message() -> None:
    _, last = served(raw=struct.pack(">I", 1 << 31) + b"\x00" * 100)
    with pytest.raises(CacheUnavailable, match="longer than any"):
        raise_error(last)


def test_server_without_its_cache_says_why_and_ends() -> None:
    def fail() -> Any:
        raise SettingsInvalid("There is no such cache.")

    written = io.BytesIO()
    serve(fail, io.BytesIO(), written)
    with pytest.raises(CacheUnavailable, match="no such cache"):
        raise_error(decode(io.BytesIO(written.getvalue()[len(GREETING) :]).read))


def test_values_that_are_not_kept_as_bytes_are_read_but_not_written() -> None:
    cache = memory()
    address = cache.values.save(["value"])
    answers = Answers(cache)
    assert answers.answer(Message({"ask": "value", "digest": address})).body
    with pytest.raises(CacheRefused, match="cannot be sent"):
        answers.answer(Message({"ask": "keep_value", "digest": address}, [b"x"]))


def test_pages_that_nobody_goes_on_with_are_forgotten() -> None:
    answers = Answers(memory())
    for _ in range(40):
        answers.answer(Message({"ask": "entries", "role": "calls"}))
    assert len(answers._pages) <= 16
    with pytest.raises(CacheUnavailable, match="forgotten"):
        answers.answer(Message({"ask": "more", "number": 999}))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no way there')", "no way there"),
        ("print('hello')", "the connection was closed"),
        (f"import sys; sys.stdout.write({GREETING.decode()!r} + '\\0\\0\\0\\5hello')", "cannot be read"),
        ("import os, time; os.write(1, b'x' * 200_000); time.sleep(60)", "does not speak"),
    ],
)
def test_program_that_is_no_server_is_told_of_and_not_asked_again_at_once(program: str, said: str) -> None:
    clock = Clock()
    connection = Connection([sys.executable, "-c", program], "there", clock=clock)
    with pytest.raises(CacheUnavailable, match=said):
        connection.ask(Message({"ask": "kept"}))
    with pytest.raises(CacheUnavailable, match="a moment ago"):
        connection.ask(Message({"ask": "kept"}))
    clock.now = 100
    with pytest.raises(CacheUnavailable, match=said):
        connection.ask(Message({"ask": "kept"}))


def test_program_that_is_missing_is_told_of(tmp_path: Path) -> None:
    connection = Connection([str(tmp_path / "ssh")], "there")
    with pytest.raises(CacheUnavailable, match="No such file"):
        connection.ask(Message({"ask": "kept"}))
