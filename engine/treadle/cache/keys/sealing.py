"""From a function and its arguments to a sealed call: everything that its key is made of, before it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blake3 import blake3

from treadle.cache.keys.content import content_digest
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.encoding import SCHEME, Encoding, Refused, module_name, refusal
from treadle.cache.keys.signature import Signature
from treadle.cache.records import Reference, SealedCall
from treadle.scripts import file_of

_MAIN = "__main__"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What of a function and its arguments makes up the key of its calls.

    Attributes:
        version: The function's version; None for that of its package.
        with_version: Whether the version counts.
        with_module: Whether the name of its module counts.
        with_code: Whether its code counts, and that of what it uses in its project.
        ignore: Names of parameters that do not count.
        require: Names of parameters without which a call is not cached.
        by_content: Names of parameters that are paths and count by what they lead to.
    """

    version: int | str | None = None
    with_version: bool = True
    with_module: bool = True
    with_code: bool = False
    ignore: Collection[str] = ()
    require: Collection[str] = ()
    by_content: Collection[str] = ()


class Sealer:
    """Makes sealed calls of one function."""

    def __init__(self, function: Callable[..., Any], options: KeyOptions) -> None:
        self._function = function
        self.signature = Signature(
            function, ignore=options.ignore, require=options.require, by_content=options.by_content
        )
        self.name = function.__qualname__
        self.module = _module(function, options)
        own = _package_version(function) if options.version is None else options.version
        self.version = own if options.with_version else None
        self._with_code = options.with_code

    @cached_property
    def code(self) -> Digest | None:
        """The digest of the function's code; None where it does not count.

        Raises:
            Indigestible: Its source cannot be had, or it closes over something that has no key.
        """
        if not self._with_code:
            return None
        from treadle.cache.keys.source import code_digest

        try:
            return Digest(code_digest(self._function).hex())
        except Refused as refused:
            raise refused.as_error(f"The function {self.name}") from None
        except Exception as error:  # the code of what it closes over runs here
            raise refusal(error).as_error(f"The function {self.name}") from error

    @cached_property
    def _identity(self) -> bytes:
        return _identity(self.module, self.name, self.version, self.code)

    def seal(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> SealedCall:
        """Fix a call: its key, and everything that its record says of it but the result.

        Raises:
            TypeError: The function cannot be called so.
            Indigestible: An argument has no key; it names which, and why.
        """
        return self.read(self.signature.bind(args, kwargs)).seal()

    def read(self, arguments: Mapping[str, Any]) -> ReadCall:
        """Digest bound arguments, which is all that looking a call up takes.

        Raises:
            Indigestible: An argument has no key; it names which, and why.
        """
        parts = {name: self.part(name, value) for name, value in arguments.items()}
        return ReadCall(_key(self._identity, parts), self, arguments, parts)

    def part(self, name: str, value: object) -> bytes:
        """Return what an argument adds to the key: 32 bytes.

        Raises:
            Indigestible: It has no key.
        """
        if isinstance(value, Reference):
            return value.key.raw
        encoding = Encoding()
        try:
            if name in self.signature.by_content and value is not None:
                encoding.parts.append(b"content" + _content(value))
            else:
                encoding.add(value)
            return encoding.finish()
        except Refused as refused:
            raise refused.as_error(f"Argument {name!r} of {self.name}") from None
        except Exception as error:  # a value's own code runs here
            raise refusal(error).as_error(f"Argument {name!r} of {self.name}") from error


class ReadCall:
    """A call whose key is known.

    Attributes:
        key: The key.
    """

    __slots__ = ("_arguments", "_parts", "_sealer", "key")

    def __init__(
        self, key: Digest, sealer: Sealer, arguments: Mapping[str, Any], parts: Mapping[str, bytes]
    ) -> None:
        self.key = key
        self._sealer = sealer
        self._arguments = arguments
        self._parts = parts

    def seal(self) -> SealedCall:
        """Return all that its record will say of it but the result."""
        return SealedCall(
            key=self.key,
            name=self._sealer.name,
            module=self._sealer.module,
            version=self._sealer.version,
            code=self._sealer.code,
            arguments=self._arguments,
            parts={name: Digest(part.hex()) for name, part in self._parts.items()},
        )


def plain_module(module: str | None) -> str | None:
    """Return a function's module as Python calls it: `__main__` for the file of a script."""
    return _MAIN if module is not None and os.sep in module else module


def _module(function: Callable[..., Any], options: KeyOptions) -> str | None:
    """Return what tells a function from those of its name elsewhere: its module, or its script's file.

    All scripts and notebooks are one module, so that their functions are told apart by their file, unless
    their code does so.
    """
    if not options.with_module:
        return None
    name = module_name(function)
    if name != _MAIN or options.with_code:
        return name or None
    return file_of(getattr(function, "__globals__", {})) or name


def key_of(
    module: str | None,
    name: str,
    version: int | str | None,
    code: Digest | None,
    parts: Mapping[str, Digest],
) -> Digest:
    """Return the key of a call from what makes it up, as its record has it."""
    return _key(_identity(module, name, version, code), {name: part.raw for name, part in parts.items()})


def _identity(module: str | None, name: str, version: int | str | None, code: Digest | None) -> bytes:
    encoding = Encoding()
    encoding.add((SCHEME, "call", module, name, version, code))
    return encoding.finish()


def _key(identity: bytes, parts: Mapping[str, bytes]) -> Digest:
    pieces = [identity]
    for name, part in parts.items():
        encoded = name.encode()
        pieces.append(len(encoded).to_bytes(4, "little") + encoded + part)
    return Digest(blake3(b"".join(pieces)).hexdigest())


def _content(value: object) -> bytes:
    if not isinstance(value, str | os.PathLike):
        raise Refused("it is no path, so it has no content")
    return content_digest(value)


def _package_version(function: Callable[..., Any]) -> str | None:
    """Return the `__version__` of the function's top-level package."""
    package = sys.modules.get((function.__module__ or "").partition(".")[0])
    version = getattr(package, "__version__", None)
    return version if isinstance(version, str) else None
