"""Results of task runs in the call cache, as a storage that Prefect can use."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, cast

from prefect.filesystems import WritableFileSystem
from prefect.results import ResultRecordMetadata  # type: ignore[attr-defined]  # public, but not said to be
from prefect.settings import get_current_settings
from pydantic import Field

from treadle.authoring.task_cache.calls import digest_for, open_cache, remembered
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys import SCHEME, Digest
from treadle.cache.records import CallRecord, Outcome, Stored


class CallResults(WritableFileSystem):
    """The call cache as a place for results.

    Prefect writes a result to the storage of results, then its key to that of keys. As a storage of keys this
    one keeps the result with the key if Prefect has put it into its own folder, as it does where nothing else
    is said, and puts it back there for whoever asks for the key: on another machine, or after that folder was
    emptied. As a storage of results it keeps whatever it is given.
    """

    _block_type_name = "Treadle Call Cache"
    _block_type_slug = "treadle-call-cache"

    cache_name: str | None = Field(default=None, description="Name of the cache; the one in use if empty.")
    kind: Literal["key", "result"] = Field(default="result", description="What is written here.")

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]  # as Prefect's own
        """Return what was written to a path.

        Raises:
            NotCached: Nothing was, or it is gone.
            CacheUnavailable: It cannot be read now.
        """
        digest = digest_for(self.kind, path)
        found = open_cache(self.cache_name).load(digest).result()
        if self.kind == "result":
            return cast("bytes", found)
        metadata, result = cast("tuple[bytes, bytes | None]", found)
        return metadata if result is None else _put_back(path, metadata, result)

    async def aread_path(self, path: str) -> bytes:
        """Do as `read_path`."""
        return await asyncio.to_thread(self.read_path, path)

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> None:  # type: ignore[override]
        """Keep something under a path.

        Raises:
            CacheUnavailable: It cannot be written.
            CacheRefused: The cache takes no records.
        """
        value: object = content if self.kind == "result" else (content, _own_result(content))
        digest = digest_for(self.kind, path)
        call = remembered(path)
        record = CallRecord(
            key=digest,
            name=call.name,
            module=call.module,
            version=call.version,
            code=call.code,
            arguments=call.arguments,
            result=Stored(digest),
            result_key=None,
            outcome=Outcome.RETURNED,
            created=time.time(),
            metadata={"prefect": {"kind": self.kind}},
            scheme=SCHEME,
        )
        open_cache(self.cache_name).adopt(Cached(record, _Given(value)))

    async def awrite_path(self, path: str, content: bytes) -> None:
        """Do as `write_path`."""
        await asyncio.to_thread(self.write_path, path, content)


class _Given:
    """The value of a record that is about to be kept."""

    def __init__(self, value: object) -> None:
        self._value = value

    def load_value(self, digest: Digest) -> Any:
        del digest
        return self._value


def _own_folder() -> Path:
    return Path(get_current_settings().results.local_storage_path).expanduser().resolve()


def _own_result(content: bytes) -> bytes | None:
    """Return the result of a key if it is in Prefect's own folder on this machine."""
    metadata = ResultRecordMetadata.load_bytes(content)
    if metadata.storage_block_id is not None or metadata.storage_key is None:
        return None
    place = Path(metadata.storage_key)
    return place.read_bytes() if place.is_absolute() and place.is_relative_to(_own_folder()) else None


def _put_back(path: str, content: bytes, result: bytes) -> bytes:
    """See to it that a result is in Prefect's own folder; return the key's document that says so."""
    place = _own_folder() / path
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(result)
            Path(fresh).replace(place)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    metadata = ResultRecordMetadata.load_bytes(content)
    return metadata.model_copy(update={"storage_key": str(place)}).dump_bytes()
