"""The other end: answers questions about a cache of this machine on standard input and output."""

from __future__ import annotations

import itertools
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, TypeVar

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.parts import Part, parts_of
from treadle.cache.keys.digest import Digest
from treadle.cache.record_json import encode_record
from treadle.cache.records import CallRecord
from treadle.cache.remote.storages import lease_words, open_record, read_lease, read_template
from treadle.cache.remote.wire import (
    GREETING,
    PROTOCOL,
    Bytes,
    Malformed,
    Message,
    decode,
    encode,
    error_message,
)
from treadle.cache.storages.ports import Bytewise, Lease
from treadle.cache.storages.spelling import keyring_of
from treadle.cache.values.envelope import Kind, Letter, enclose
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheError, CacheRefused, CacheUnavailable, NotCached, TreadleError

if TYPE_CHECKING:
    from pydantic import JsonValue

_AT_ONCE = 100
_OPEN_PAGES = 16
T = TypeVar("T")


def serve(load: Callable[[], BaseCache], reading: IO[bytes], writing: IO[bytes]) -> None:
    """Answer until the other end closes.

    Args:
        load: Returns the cache; what goes wrong there is the greeting.
        reading: Where questions come from.
        writing: Where answers go; nothing else may be written there.
    """
    words: dict[str, JsonValue] = {"protocol": PROTOCOL}
    try:
        answers = Answers(load())
    except TreadleError as error:
        refusal = CacheUnavailable(error.what, remedy=error.remedy)
        _send(writing, Message({**error_message(refusal).header, **words}), first=GREETING)
        return
    words["read_only"] = answers.is_read_only
    _send(writing, Message(words), first=GREETING)
    while True:
        try:
            question = decode(lambda count: _exactly(reading, count))
        except EOFError:
            return
        except Malformed as error:
            _send(writing, error_message(error))
            return
        try:
            answer = answers.answer(question)
        except CacheError as error:
            answer = error_message(error)
        _send(writing, answer)


def serve_standard_streams(load: Callable[[], BaseCache]) -> None:
    """Serve on this process's own streams; whatever else it prints goes to standard error."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as writing, os.fdopen(os.dup(0), "rb") as reading:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        serve(load, reading, writing)


class Answers:
    """What a cache answers; what is sent is read, verified and kept, but never unpickled.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache
        self._parts = parts_of(cache)
        self._keyring = keyring_of(self._parts[0].cache.calls) if self._parts else Keyring()
        self._pages: OrderedDict[int, Iterator[Message]] = OrderedDict()
        self._numbers = itertools.count(1)
        self._questions: dict[str, Callable[[Message], Message]] = {
            "records": self._records,
            "has_record": self._has_record,
            "keep_record": self._keep_record,
            "evict": self._evict,
            "find": self._find,
            "starting_with": self._starting_with,
            "value": self._value,
            "has_value": self._has_value,
            "renew_value": self._renew_value,
            "keep_value": self._keep_value,
            "entries": self._entries,
            "more": self._more,
            "acquire": self._acquire,
            "renew": self._renew,
            "holds": self._holds,
            "release": self._release,
            "kept": self._kept,
        }

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be recorded."""
        return not any(part.takes_new for part in self._parts)

    def answer(self, question: Message) -> Message:
        """Answer a question.

        Raises:
            CacheError: What went wrong; the question is not repeated.
        """
        asked = question.text("ask")
        if asked not in self._questions:
            raise CacheUnavailable(f"This Treadle does not know the question {asked!r}.")
        return self._questions[asked](question)

    def _records(self, question: Message) -> Message:
        found = self._cache.lookup_many(question.digests("keys"))
        return self._sent([cached.record for cached in found.values()])

    def _has_record(self, question: Message) -> Message:
        return _there(self._cache.contains(question.digest("key")))

    def _keep_record(self, question: Message) -> Message:
        part = self._target()
        record = open_record(_body(question), question.digest("key"), keyring_of(part.cache.calls))
        lease = question.header.get("lease")
        part.cache.calls.save(record, lease=None if lease is None else read_lease(lease))
        if part.limits is not None:
            part.limits.fit(record)
        return Message({})

    def _evict(self, question: Message) -> Message:
        return Message({"freed": self._cache.evict(question.digest("key"))})

    def _find(self, question: Message) -> Message:
        records = (
            cached.record for cached in self._cache.find(read_template(question.header.get("template")))
        )
        return self._paged(self._sent(page) for page in _batches(records))

    def _starting_with(self, question: Message) -> Message:
        return Message({"keys": [*self._cache.starting_with(question.text("prefix"))]})

    def _value(self, question: Message) -> Message:
        digest = question.digest("digest")
        for part in self._parts:
            values = part.cache.values
            try:
                if isinstance(values, Bytewise):
                    data = values.read_bytes(digest)
                else:
                    data = self._serialised(digest, values.load(digest))
            except NotCached:
                continue
            size = question.header.get("size")
            return Message({}, [data[:size] if isinstance(size, int) else data])
        raise NotCached(f"There is no value {digest}.")

    def _has_value(self, question: Message) -> Message:
        digest = question.digest("digest")
        return _there(any(part.cache.values.contains(digest) for part in self._parts))

    def _renew_value(self, question: Message) -> Message:
        return _there(self._bytewise().renew(question.digest("digest")))

    def _keep_value(self, question: Message) -> Message:
        self._bytewise().write_bytes(question.digest("digest"), _body(question))
        return Message({})

    def _entries(self, question: Message) -> Message:
        role = question.text("role")
        storages = [part.cache.values if role == "values" else part.cache.calls for part in self._parts]
        found = itertools.chain.from_iterable(storage.entries() for storage in storages)
        rows: Iterator[JsonValue] = ([entry.digest, entry.size, entry.saved, entry.used] for entry in found)
        return self._paged(Message({"entries": [*page]}) for page in _batches(rows))

    def _acquire(self, question: Message) -> Message:
        lease = self._target().cache.calls.leases.acquire(
            question.digest("key"), seconds=question.number("seconds"), keeping=question.digests("keeping")
        )
        return Message({"lease": None if lease is None else lease_words(lease)})

    def _renew(self, question: Message) -> Message:
        words = question.header.get("leases")
        leases = [read_lease(lease) for lease in (words if isinstance(words, list) else [])]
        held = self._target().cache.calls.leases.renew(leases, seconds=question.number("seconds"))
        return Message({"keys": [*held]})

    def _holds(self, question: Message) -> Message:
        return _there(self._target().cache.calls.leases.holds(_lease(question)))

    def _release(self, question: Message) -> Message:
        self._target().cache.calls.leases.release(_lease(question))
        return Message({})

    def _kept(self, _: Message) -> Message:
        return Message({"keys": [*self._target().cache.calls.leases.kept()]})

    def _more(self, question: Message) -> Message:
        number = int(question.number("number"))
        if number not in self._pages:
            raise CacheUnavailable("What is asked to go on was forgotten: too much was asked in between.")
        return self._next(number, self._pages.pop(number))

    def _paged(self, pages: Iterator[Message]) -> Message:
        return self._next(next(self._numbers), pages)

    def _next(self, number: int, pages: Iterator[Message]) -> Message:
        page = next(pages, None)
        if page is None:
            return Message({})
        self._pages[number] = pages
        while len(self._pages) > _OPEN_PAGES:
            self._pages.popitem(last=False)
        return Message({**page.header, "more": number}, page.body)

    def _sent(self, records: Sequence[CallRecord]) -> Message:
        envelopes = [
            enclose(Letter((encode_record(record),), "json"), Kind.RECORD, record.key, keyring=self._keyring)
            for record in records
        ]
        return Message({"keys": [record.key for record in records]}, [b"".join(parts) for parts in envelopes])

    def _serialised(self, digest: Digest, value: object) -> bytes:
        """A value of a storage that does not keep it as bytes."""
        from treadle.cache.values.codecs import CLOUDPICKLE

        letter = Letter(CLOUDPICKLE.dumps(value), CLOUDPICKLE.name)
        return b"".join(enclose(letter, Kind.VALUE, digest, keyring=self._keyring))

    def _target(self) -> Part:
        """Where something new is kept."""
        for part in self._parts:
            if part.takes_new:
                return part
        raise CacheRefused("The cache there can only be read.")

    def _bytewise(self) -> Bytewise:
        values = self._target().cache.values
        if not isinstance(values, Bytewise):
            raise CacheRefused("The cache there keeps values in a way in which they cannot be sent.")
        return values


def _there(answer: bool) -> Message:
    return Message({"there": answer})


def _body(question: Message) -> Bytes:
    if len(question.body) != 1:
        raise Malformed("A question has nothing to keep.")
    return question.body[0]


def _lease(question: Message) -> Lease:
    return read_lease(question.header.get("lease"))


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(itertools.islice(left, _AT_ONCE)):
        yield batch


def _send(writing: IO[bytes], message: Message, *, first: bytes = b"") -> None:
    for part in (first, *encode(message)):
        left = memoryview(part)
        while left:
            left = left[writing.write(left) or 0 :]
    writing.flush()


def _exactly(reading: IO[bytes], count: int) -> bytes:
    parts = []
    while count:
        part = reading.read(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
