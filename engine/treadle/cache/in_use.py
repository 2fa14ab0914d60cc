"""Something of which one at a time is in use: for the whole process, or for as long as a context lasts."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class InUse(Generic[T]):
    """What is in use of a kind.

    Args:
        name: Name of the kind.
    """

    def __init__(self, name: str) -> None:
        self.scoped: ContextVar[T | None] = ContextVar(name, default=None)
        self._lasting: tuple[tuple[T, weakref.ref[Put[T]]], ...] = ()
        self._forget_lock()
        os.register_at_fork(after_in_child=self._forget_lock)

    def get(self) -> T | None:
        """Return what is in use here; None if nothing has been put to use."""
        scoped = self.scoped.get()
        if scoped is not None:
            return scoped
        lasting = self._lasting
        return lasting[-1][0] if lasting else None

    @contextmanager
    def within(self, chosen: T) -> Iterator[T]:
        """Have something in use within the context, and nowhere else at any moment."""
        token = self.scoped.set(chosen)
        try:
            yield chosen
        finally:
            self.scoped.reset(token)

    def add(self, chosen: T, by: Put[T]) -> None:
        """Have something in use in the whole process, until it is removed."""
        with self._lock:
            left = [place for place, (_, put) in enumerate(self._lasting) if put() is None]
            stay = left[-1:]  # nobody can remove it any more, so none of those left before comes back
            kept = [entry for place, entry in enumerate(self._lasting) if place in stay or place not in left]
            self._lasting = (*kept, (chosen, weakref.ref(by)))

    def remove(self, by: Put[T]) -> None:
        """Have in use again what was before, or what others have put to use since."""
        with self._lock:
            self._lasting = tuple(entry for entry in self._lasting if entry[1]() is not by)

    def _forget_lock(self) -> None:
        self._lock = threading.Lock()


class Put(Generic[T]):
    """Something that has been put to use; as a context manager it is so only within.

    Within the context of another it holds there, else for the whole process.
    """

    def __init__(self, kind: InUse[T], chosen: T) -> None:
        self._kind = kind
        self._chosen = chosen
        self._outer = kind.scoped.get()
        self._token: Token[T | None] | None = None
        if self._outer is None:
            kind.add(chosen, self)
        else:
            kind.scoped.set(chosen)

    def __enter__(self) -> T:
        if self._outer is None:
            self._kind.remove(self)
        else:
            self._kind.scoped.set(self._outer)
        self._token = self._kind.scoped.set(self._chosen)
        return self._chosen

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            self._kind.scoped.reset(self._token)
            self._token = None
