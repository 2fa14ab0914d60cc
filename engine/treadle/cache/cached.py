"""`@cached`: a function whose calls are looked up before they are made.

Whatever goes wrong with the cache, the call is made and its result returned: the trouble is told of once and
counted. Only what the function itself raises is raised.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, overload

from treadle.cache.active import Bound, collectors, get_cache
from treadle.cache.caller import Caller
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.sealing import KeyOptions
from treadle.cache.keys.source import WRAPPED
from treadle.cache.metadata import Collector
from treadle.cache.recording import KeepOptions
from treadle.cache.records import Outcome, Reference, SealedCall
from treadle.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from treadle.cache.queries import Query

_VERSIONS = (int, str, type(None))

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class CachedFunction(Protocol[P, R_co]):
    """A function whose calls are looked up before they are made, and what can be asked of them."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The function itself."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return what is kept of the call, or make it and keep it."""
        ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> SealedCall:
        """Return the call as its record would say; nothing runs. Raises Indigestible."""
        ...

    def key(self, *args: P.args, **kwargs: P.kwargs) -> Digest:
        """Return what the call is found by; nothing runs. Raises Indigestible."""
        ...

    def load(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return what is kept of the call, or raise the exception that is; else NotCached."""
        ...

    def contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether something is kept of the call."""
        ...

    def query(
        self, *args: object, metadata: Mapping[str, JsonValue] | None = None, **kwargs: object
    ) -> Query:
        """Return what is kept of calls with these arguments; None, or none at all, stands for any."""
        ...

    def rerun(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Make the call anew, and the cached calls within it, and keep what comes of them."""
        ...

    def ref(self, *args: P.args, **kwargs: P.kwargs) -> Reference | R_co:
        """Make the call if need be, and return a reference to its result for other calls to take.

        Nothing is loaded for it. Where the call is not cached it is the result itself.
        """
        ...

    def bind(self, *args: object, **kwargs: object) -> Bound:
        """Return the call, or its first arguments, with the cache that is in use now, for another process."""
        ...

    def troubles(self) -> dict[str, int]:
        """Return why calls were not cached, and how often, in this process."""
        ...


@overload
def cached(function: Callable[P, R_co], /) -> CachedFunction[P, R_co]: ...
@overload
def cached(
    *,
    version: int | str | None = None,
    ignore: str | Iterable[str] = (),
    require: str | Iterable[str] = (),
    by_content: str | Iterable[str] = (),
    code: bool = False,
    hash_version: bool = True,
    hash_module: bool = True,
    hash_code: bool = False,
    keep_none: bool = True,
    exceptions: type[Exception] | tuple[type[Exception], ...] = (),
    meta: Iterable[Collector] = (),
) -> Callable[[Callable[P, R_co]], CachedFunction[P, R_co]]: ...
def cached(
    function: Callable[..., Any] | None = None,
    /,
    *,
    version: int | str | None = None,
    ignore: str | Iterable[str] = (),
    require: str | Iterable[str] = (),
    by_content: str | Iterable[str] = (),
    code: bool = False,
    hash_version: bool = True,
    hash_module: bool = True,
    hash_code: bool = False,
    keep_none: bool = True,
    exceptions: type[Exception] | tuple[type[Exception], ...] = (),
    meta: Iterable[Collector] = (),
) -> Any:
    """Have the calls of a function looked up before they are made, and kept.

    The key of a call is made of the function's module, name and version, and of each argument, defaults
    included, before the body runs. Coroutine functions are cached like others.

    Args:
        function: The function; or nothing, where there is more to say.
        version: Change it when the function changes; None for the `__version__` of its package.
        ignore: Names of parameters that do not count, and are not kept.
        require: Names of parameters that must be passed; a call that leaves one out is not cached.
        by_content: Names of parameters that are paths and count by what they lead to, file or folder.
        code: Have the function's source count, and that of what it uses in its project.
        hash_version: Whether the version counts.
        hash_module: Whether the module's name counts; without it a function may move.
        hash_code: The same as `code`.
        keep_none: Whether a result of None is kept.
        exceptions: Exceptions that are kept, and raised again instead of calling anew.
        meta: What notes metadata of its calls, besides what is in use.

    Raises:
        UsageError: It is no function, or a generator function, whose results could be read only once; a name
            is none of its parameters; or what is said of it cannot be.
    """
    if type(version) not in _VERSIONS:
        raise UsageError(f"The version cannot be {version!r}.", remedy="Give a whole number or a text.")
    kept = exceptions if isinstance(exceptions, tuple) else (exceptions,)
    if not all(map(_is_exception, kept)):
        remedy = "Give a class of exceptions, or a tuple of them."
        raise UsageError(f"Of {exceptions!r} not all are exceptions.", remedy=remedy)
    key = KeyOptions(
        version=version,
        with_version=hash_version,
        with_module=hash_module,
        with_code=code or hash_code,
        ignore=_names(ignore),
        require=_names(require),
        by_content=_names(by_content),
    )
    keep = KeepOptions(keep_none=keep_none, exceptions=kept, collectors=tuple(meta))
    if function is None:
        return lambda function: _wrap(function, key, keep)
    return _wrap(function, key, keep)


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _wrap(function: Callable[..., Any], key: KeyOptions, keep: KeepOptions) -> CachedFunction[..., Any]:
    _check_function(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"The calls of {function.__qualname__} cannot be cached: a generator can be read only once.",
            remedy="Return a list.",
        )
    caller = Caller(function, key, keep)
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await caller.call_async(args, kwargs)
    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return caller.call(args, kwargs)

    setattr(wrapper, WRAPPED, function)
    if key.version is not None:
        wrapper.__version__ = key.version
    companions = _Companions(caller, wrapper)
    for name in _COMPANIONS:
        setattr(wrapper, name, getattr(companions, name))
    wrapper.fleche = companions
    return cast("CachedFunction[..., Any]", wrapper)


def _check_function(function: object) -> None:
    """Refuse what has no name that its calls could be found by, or no parameters that are known."""
    if isinstance(function, staticmethod | classmethod):
        kind = type(function).__name__
        raise UsageError(f"The calls of a {kind} cannot be cached.", remedy=f"Write @{kind} above @cached.")
    remedy = "Write a function that calls it."
    if not callable(function) or not hasattr(function, "__qualname__"):
        raise UsageError(f"The calls of {function!r} cannot be cached: it is no function.", remedy=remedy)
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        raise UsageError(
            f"The calls of {function!r} cannot be cached: its parameters are not known.", remedy=remedy
        ) from None


def caller_of(function: Callable[..., Any]) -> Caller | None:
    """Return what makes the calls of a cached function; None for any other function."""
    companions = getattr(function, "fleche", None)
    return companions.caller if isinstance(companions, _Companions) else None


class _Companions:
    """What stands on a cached function beside the call itself."""

    def __init__(self, caller: Caller, wrapper: Callable[..., Any]) -> None:
        self.caller = caller
        self._wrapper = wrapper

    def call(self, *args: Any, **kwargs: Any) -> SealedCall:
        return self.caller.sealer.seal(args, kwargs)

    def key(self, *args: Any, **kwargs: Any) -> Digest:
        return self.call(*args, **kwargs).key

    digest = key

    def load(self, *args: Any, **kwargs: Any) -> Any:
        call = self.call(*args, **kwargs)
        found = get_cache().lookup(call.key) or get_cache().lookup_call(call) or get_cache().load(call.key)
        result: Any = found.result()
        if found.record.outcome is Outcome.RAISED:
            raise result
        return result

    def contains(self, *args: Any, **kwargs: Any) -> bool:
        call, used = self.call(*args, **kwargs), get_cache()
        return used.contains(call.key) or used.lookup_call(call) is not None

    def query(self, *args: Any, metadata: Mapping[str, JsonValue] | None = None, **kwargs: Any) -> Query:
        return get_cache().query(self.caller.template(args, kwargs, metadata or {}))

    def rerun(self, *args: Any, **kwargs: Any) -> Any:
        from treadle.cache.caches.refreshing import Refreshing

        return Bound(self._wrapper, args, kwargs, Refreshing(get_cache()), collectors())()

    def ref(self, *args: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(self._wrapper):
            return self.caller.refer_async(args, kwargs)
        return self.caller.refer(args, kwargs)

    def bind(self, *args: Any, **kwargs: Any) -> Bound:
        return Bound.of(self._wrapper, args, kwargs)

    def troubles(self) -> dict[str, int]:
        return dict(self.caller.reasons.troubles.counts)


_COMPANIONS = ("call", "key", "digest", "load", "contains", "query", "rerun", "ref", "bind", "troubles")
