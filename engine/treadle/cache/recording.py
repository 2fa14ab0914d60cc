"""How a call went and how it ended, and what is kept of that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treadle.cache.active import collectors
from treadle.cache.caches.base import Prepared
from treadle.cache.keys import digest_of
from treadle.cache.metadata import Collector, Finish
from treadle.cache.records import CallRecord, Outcome
from treadle.cache.storages.ports import Lease
from treadle.cache.troubles import Troubles
from treadle.errors import CacheError, Indigestible

if TYPE_CHECKING:
    from pydantic import JsonValue

_ONCE = (Iterator, AsyncIterator, Coroutine)
"""Results that could be read only once; they are handed on, not kept."""


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """What is kept of a function's calls.

    Attributes:
        keep_none: Whether a result of None is kept.
        exceptions: Types of exceptions that are kept, and raised again by later calls.
        collectors: What notes metadata of its calls, besides what is in use.
    """

    keep_none: bool
    exceptions: tuple[type[Exception], ...]
    collectors: tuple[Collector, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended."""

    value: Any
    outcome: Outcome = Outcome.RETURNED
    record: CallRecord | None = None

    def give(self) -> Any:
        """Return the result, or raise the exception."""
        if self.outcome is Outcome.RAISED:
            raise self.value
        return self.value

    def as_future(self) -> Future[Any]:
        """Return it as a future that is done."""
        future: Future[Any] = Future()
        if self.outcome is Outcome.RAISED:
            future.set_exception(self.value)
        else:
            future.set_result(self.value)
        return future


class Reasons:
    """Why calls of a function are not cached: the first of a kind in a process is a warning.

    Args:
        place: The function, as its module has it.
        name: Its name for people.

    Attributes:
        troubles: How often, by kind.
    """

    def __init__(self, place: str, name: str) -> None:
        self.troubles = Troubles(place)
        self._name = name

    def tell(self, reason: CacheError | str) -> None:
        """Note why a call is not cached."""
        kind = reason if isinstance(reason, str) else type(reason).__name__
        self.troubles.tell(kind, f"A call of {self._name} is not cached: {reason}")

    @contextmanager
    def despite(self, collector: str) -> Iterator[None]:
        """Note what goes wrong in a collector; the call goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a collector's own code runs here
            self.troubles.tell(collector, f"Of a call of {self._name} no {collector} is noted: {error!r}.")


class Recording:
    """The body of a call: notes how it went, and keeps how it ended.

    Args:
        call: The call.
        lease: The lease under which it runs.
        keep: What is kept of it.
        reasons: Takes why it is not.
        forget: Removes what an earlier call came to.
    """

    def __init__(
        self,
        call: Prepared,
        lease: Lease | None,
        *,
        keep: KeepOptions,
        reasons: Reasons,
        forget: Callable[[], object],
    ) -> None:
        self._call = call
        self._lease = lease
        self._options = keep
        self._reasons = reasons
        self._forget = forget
        self._finishes: list[tuple[str, Finish]] = []

    def __enter__(self) -> Recording:
        for collector in (*collectors(), *self._options.collectors):
            with self._reasons.despite(collector.name):
                self._finishes.append((collector.name, collector.begin()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, self._options.exceptions):
            self._commit(error, Outcome.RAISED)
        elif error is not None:
            self._call.abandon()

    def returned(self, result: Any) -> Ended:
        """Keep a result, if it can be kept; it is returned in any case."""
        if isinstance(result, Future):
            result.add_done_callback(self._completed)
            return Ended(result)
        return Ended(result, record=self._keep(result))

    def _completed(self, future: Future[Any]) -> None:
        """Keep what a future has come to; nobody waits for it under the lease any more."""
        self._lease = None
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self.__exit__(None, error or CancelledError(), None)
        else:
            self._keep(future.result())

    def _keep(self, result: Any) -> CallRecord | None:
        if isinstance(result, _ONCE):
            self._reasons.tell(
                f"its result, of type {type(result).__qualname__}, can be read only once: return a list."
            )
            return None
        if callable(getattr(type(result), "add_done_callback", None)):
            self._reasons.tell(f"its result, of type {type(result).__qualname__}, is not there yet.")
            return None
        if result is None and not self._options.keep_none:
            try:
                self._forget()
            except CacheError as error:
                self._reasons.tell(error)
            return None
        return self._commit(result, Outcome.RETURNED)

    def _commit(self, result: Any, outcome: Outcome) -> CallRecord | None:
        metadata: dict[str, JsonValue] = {}
        for name, finish in self._finishes:
            with self._reasons.despite(name):
                before = metadata.get(name)
                metadata[name] = {**before, **finish()} if isinstance(before, dict) else finish()
        try:
            result_key = digest_of(result)
        except Indigestible:
            result_key = None
        try:
            return self._call.commit(
                result, result_key=result_key, outcome=outcome, metadata=metadata, lease=self._lease
            )
        except CacheError as error:
            self._reasons.tell(error)
            return None
