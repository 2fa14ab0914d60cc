"""Storages whose content is on another machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import CallRecord
from treadle.cache.remote import wire
from treadle.cache.remote.connection import Connection
from treadle.cache.remote.wire import Malformed, Message, parse_digest
from treadle.cache.storages.ports import Entry, Lease, Template
from treadle.cache.troubles import Troubles
from treadle.cache.values.compression import Bytes
from treadle.cache.values.envelope import Kind, Letter, enclose, open_envelope
from treadle.cache.values.keyring import Keyring
from treadle.errors import CacheRefused, NotCached

if TYPE_CHECKING:
    from pydantic import JsonValue

_ELSEWHERE = "Garbage is collected where the cache is: run `treadle cache gc` there."


class RemoteBlobs:
    """Values as the other machine keeps them: in envelopes, which are opened here.

    Args:
        connection: The way there.
        place: The other machine, for people.
    """

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self._place = place

    @property
    def place(self) -> str:
        """The other machine."""
        return self._place

    def read(self, digest: Digest, *, use: bool) -> bytearray:
        """Return a value's envelope; see `Blobs`."""
        del use
        return bytearray(_only(self._connection.ask(Message({"ask": "value", "digest": digest}))))

    def head(self, digest: Digest, size: int) -> bytes:
        """Return the beginning of an envelope; see `Blobs`."""
        return bytes(_only(self._connection.ask(Message({"ask": "value", "digest": digest, "size": size}))))

    def write(self, digest: Digest, parts: Sequence[Bytes], *, saved: float | None = None) -> None:
        """Send an envelope; see `Blobs`."""
        del saved
        whole = b"".join(parts)
        self._connection.ask(Message({"ask": "keep_value", "digest": digest}, [whole]))

    def renew(self, digest: Digest) -> bool:
        """Whether the value is there; see `Blobs`."""
        answer = self._connection.ask(Message({"ask": "renew_value", "digest": digest}))
        return answer.header.get("there") is True

    def exists(self, digest: Digest) -> bool:
        """Whether the value is there."""
        answer = self._connection.ask(Message({"ask": "has_value", "digest": digest}))
        return answer.header.get("there") is True

    def remove(self, digest: Digest) -> int:
        """Refuse: what is not needed there is for that machine to say."""
        raise CacheRefused(f"The value {digest[:12]} on {self._place} is not removed.", remedy=_ELSEWHERE)

    def touch(self, digests: Collection[Digest]) -> None:
        """Do nothing: being asked for is a use there."""

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; see `Blobs`."""
        return entries(self._connection, "values")

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return none: nobody looks for values by how their addresses begin."""
        del prefix
        return []

    def put_aside(self, digest: Digest) -> str:
        """Leave it: whoever can write there finds the damage when it is read there."""
        return f"left where it is on {self._place}: {digest}"

    def writers(self) -> None:
        """Nobody, as far as can be told here: whoever names the machine trusts it."""


class RemoteCalls:
    """Records on another machine.

    Args:
        connection: The way there.
        place: The other machine, for people.
        keyring: Signs what is sent, verifies what comes.

    Attributes:
        leases: The leases of all who use the cache there.
    """

    def __init__(self, connection: Connection, place: str, keyring: Keyring) -> None:
        self.leases = RemoteLeases(connection)
        self._connection = connection
        self._place = place
        self._keyring = keyring
        self._troubles = Troubles(place)

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        """Send a record; see `CallStorage`."""
        letter = Letter((encode_record(record),), "json")
        parts = enclose(letter, Kind.RECORD, record.key, keyring=self._keyring)
        words: dict[str, JsonValue] = {"ask": "keep_record", "key": record.key}
        if lease is not None:
            words["lease"] = lease_words(lease)
        self._connection.ask(Message(words, [b"".join(parts)]))

    def load(self, key: Digest) -> CallRecord:
        """Return a record; see `CallStorage`."""
        found = self.load_many([key])
        if key not in found:
            raise NotCached(f"There is no record of the call {key} on {self._place}.")
        return found[key]

    def load_many(self, keys: Iterable[Digest]) -> dict[Digest, CallRecord]:
        """Return the records that are there of these keys, with one question."""
        wanted: list[JsonValue] = [*keys]
        if not wanted:
            return {}
        answer = self._connection.ask(Message({"ask": "records", "keys": wanted}))
        return {record.key: record for record in self._sound(answer)}

    def contains(self, key: Digest) -> bool:
        """Whether there is a record."""
        return self._connection.ask(Message({"ask": "has_record", "key": key})).header.get("there") is True

    def evict(self, key: Digest) -> int:
        """Remove a record where it may be removed; see `CallStorage`."""
        return int(self._connection.ask(Message({"ask": "evict", "key": key})).number("freed"))

    def find(self, template: Template) -> Iterator[CallRecord]:
        """Yield the matching records, page by page; see `CallStorage`."""
        for page in pages(self._connection, {"ask": "find", "template": template_words(template)}):
            yield from self._sound(page)

    def touch(self, keys: Collection[Digest]) -> None:
        """Do nothing: being asked for is a use there."""

    def entries(self) -> Iterator[Entry]:
        """Yield what is there; see `CallStorage`."""
        return entries(self._connection, "calls")

    def starting_with(self, prefix: str) -> list[Digest]:
        """Return the keys that begin so."""
        return self._connection.ask(Message({"ask": "starting_with", "prefix": prefix})).digests("keys")

    def _sound(self, answer: Message) -> Iterator[CallRecord]:
        for key, data in zip(answer.digests("keys"), answer.body, strict=False):
            try:
                yield open_record(data, key, self._keyring)
            except (Damaged, WrittenByNewer) as error:
                self._troubles.tell("damaged", f"The record {key} from {self._place} is not used. {error}")


class RemoteLeases:
    """Leases of those who use a cache on another machine.

    Args:
        connection: The way there.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        """Take a lease; see `Leases`."""
        values: list[JsonValue] = [*keeping]
        question = Message({"ask": "acquire", "key": key, "seconds": seconds, "keeping": values})
        answer = self._connection.ask(question)
        return None if answer.header.get("lease") is None else read_lease(answer.header["lease"])

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        """Make leases last; see `Leases`."""
        words = [lease_words(lease) for lease in leases]
        answer = self._connection.ask(Message({"ask": "renew", "leases": [*words], "seconds": seconds}))
        return set(answer.digests("keys"))

    def holds(self, lease: Lease) -> bool:
        """Whether nobody has taken it over."""
        answer = self._connection.ask(Message({"ask": "holds", "lease": lease_words(lease)}))
        return answer.header.get("there") is True

    def release(self, lease: Lease) -> None:
        """Give it back; see `Leases`."""
        self._connection.ask(Message({"ask": "release", "lease": lease_words(lease)}))

    def kept(self) -> set[Digest]:
        """Return the values that calls now running need."""
        return set(self._connection.ask(Message({"ask": "kept"})).digests("keys"))


def open_record(data: wire.Bytes, key: Digest, keyring: Keyring) -> CallRecord:
    """Take a record out of its envelope, once it is verified.

    Raises:
        Damaged: It is not what was sent, or of another call.
        WrittenByNewer: It has a higher format.
    """
    record = decode_record(bytes(open_envelope(data, Kind.RECORD, key, keyring).payload))
    if record.key != key:
        raise Damaged("It is the record of another call.")
    return record


def pages(connection: Connection, question: Mapping[str, JsonValue]) -> Iterator[Message]:
    """Yield answers until the last; the server forgets what nobody asks it to go on with."""
    answer = connection.ask(Message(question))
    while True:
        yield answer
        more = answer.header.get("more")
        if more is None:
            return
        answer = connection.ask(Message({"ask": "more", "number": more}))


def entries(connection: Connection, role: str) -> Iterator[Entry]:
    """Yield what a storage there has."""
    for page in pages(connection, {"ask": "entries", "role": role}):
        rows = page.header.get("entries")
        for row in rows if isinstance(rows, list) else ():
            yield _entry(row)


def lease_words(lease: Lease) -> dict[str, JsonValue]:
    """Write a lease."""
    return {"key": lease.key, "token": lease.token, "holder": lease.holder}


def read_lease(words: JsonValue) -> Lease:
    """Read what `lease_words` wrote; raises Malformed."""
    if not isinstance(words, dict) or not isinstance(words.get("token"), int):
        raise Malformed("A message has a wrong lease.")
    return Lease(parse_digest(words.get("key")), int(str(words["token"])), str(words.get("holder")))


def template_words(template: Template) -> dict[str, JsonValue]:
    """Write what calls are asked for."""
    return {
        "name": template.name,
        "module": template.module,
        "version": template.version,
        "code": template.code,
        "arguments": dict(template.arguments),
        "result": template.result,
        "metadata": dict(template.metadata),
    }


def read_template(words: JsonValue) -> Template:
    """Read what `template_words` wrote; raises Malformed."""
    if not isinstance(words, dict):
        raise Malformed("A message has no template.")
    arguments, metadata = words.get("arguments") or {}, words.get("metadata") or {}
    version = words.get("version")
    if not (isinstance(arguments, dict) and isinstance(metadata, dict)):
        raise Malformed("A message has a wrong template.")
    return Template(
        name=_text(words.get("name")),
        module=_text(words.get("module")),
        version=version if isinstance(version, int | str) else None,
        code=_digest(words.get("code")),
        arguments={name: parse_digest(part) for name, part in arguments.items()},
        result=_digest(words.get("result")),
        metadata=metadata,
    )


def _text(word: JsonValue) -> str | None:
    return None if word is None else str(word)


def _digest(word: JsonValue) -> Digest | None:
    return None if word is None else parse_digest(word)


def _only(answer: Message) -> wire.Bytes:
    if len(answer.body) != 1:
        raise Malformed("A message has no value.")
    return answer.body[0]


def _entry(row: JsonValue) -> Entry:
    if not isinstance(row, list) or len(row) != 4:
        raise Malformed("A message has a wrong entry.")
    digest, size, saved, used = row
    return Entry(parse_digest(digest), int(str(size)), float(str(saved)), float(str(used)))
