"""A cache on another machine, over SSH."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.cache.caches.cache import Cache
from treadle.cache.registry import CODECS
from treadle.cache.remote.command import PYTHON, ssh_words
from treadle.cache.remote.connection import Connection
from treadle.cache.remote.storages import RemoteBlobs, RemoteCalls
from treadle.cache.storages.encoded import EncodedValues
from treadle.cache.values.keyring import Keyring


class Ssh(Cache):
    """The cache that another machine's configuration has, used from here.

    The connection is opened when it is first needed. Where it cannot be had, calls are computed. Values
    travel as the bytes that storages keep; each side verifies and unpickles what it reads by rules of its
    own, and nothing that is sent is run.

    Args:
        host: As `ssh` takes it.
        cache_name: Name of the cache there; its default one if None.
        python: Interpreter there, in whose environment Treadle is installed.
        ssh_options: Words for `ssh` before the host.
        setup_commands: Lines that the shell there runs first.
        workdir: Folder there in which the configuration is looked for; the home folder if None.
        keyring: Signs what is sent; verifies what comes.
    """

    def __init__(
        self,
        host: str,
        *,
        cache_name: str | None = None,
        python: str = PYTHON,
        ssh_options: Sequence[str] = (),
        setup_commands: Sequence[str] = (),
        workdir: str | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._keys: dict[str, object] = {
            "host": host,
            "cache_name": cache_name,
            "python": python,
            "ssh_options": list(ssh_options),
            "setup_commands": list(setup_commands),
            "workdir": workdir,
        }
        words = ssh_words(
            host,
            cache_name=cache_name,
            python=python,
            ssh_options=ssh_options,
            setup_commands=setup_commands,
            workdir=workdir,
        )
        self._connection = Connection(words, host)
        keys = keyring or Keyring()
        values = EncodedValues(
            RemoteBlobs(self._connection, host), codec=CODECS.get("cloudpickle"), keyring=keys, depth=1
        )
        super().__init__(values, RemoteCalls(self._connection, host, keys))

    def to_config(self) -> dict[str, object]:
        """Return its table in a configuration."""
        keys = {name: value for name, value in self._keys.items() if value and value != PYTHON}
        return {"type": "ssh", **keys}

    def close(self) -> None:
        """End the connection; used again, it is opened again."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"Ssh({self._keys['host']!r})"
