"""Wheels from an address of their own."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, unquote, urldefrag, urlsplit

from treadle.collect.credentials import without_credentials
from treadle.collect.sources.archive import UNPACKED_BYTES
from treadle.collect.sources.wheels import Wheel, wheel_from_file
from treadle.collect.storage import writing_below
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, SourceInvalid

_HASHES = ("sha256", "sha384", "sha512")
_AS_IT_IS = {"Accept-Encoding": "identity"}
_SILENCE = 60.0


def wheel_from_url(url: str, *, uv: Uv) -> Wheel:
    """Fetch a wheel into our own folder.

    Its hash is checked if the address has one after `#`, such as `#sha256=…`; only then it may come
    unprotected.

    Raises:
        SourceInvalid: It has no such hash, is no proper wheel, or comes unprotected and without a hash.
        BuildFailed: It could not be fetched.
        StorageFull: Home or temporary folder may not be written.
        Cancelled: The progress was told to stop.
    """
    shown = without_credentials(urldefrag(url).url)
    expected = [
        (name, value.lower()) for name, value in parse_qsl(urldefrag(url).fragment) if name in _HASHES
    ]
    if urlsplit(url).scheme != "https" and not expected:
        raise SourceInvalid(
            f"{shown} would come unprotected.", remedy="Use https, or add #sha256= and the wheel's hash."
        )
    uv.progress(f"fetching {shown}")
    with TemporaryDirectory(prefix="treadle-fetch-") as place, writing_below(Path(place)):
        file = Path(place) / Path(unquote(urlsplit(url).path)).name
        _fetch(urldefrag(url).url, file, shown, uv)
        for name, value in expected:
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, name).hexdigest()
            if found != value:
                raise SourceInvalid(
                    f"{shown} is another file than its hash says: {name} is {found}, not {value}.",
                    remedy="Somebody has replaced it; ask the package's author.",
                )
        return wheel_from_file(file, uv=uv)


def _fetch(url: str, file: Path, shown: str, uv: Uv) -> None:
    import httpx

    deadline = time.monotonic() + uv.settings.build_seconds
    size = 0
    try:
        with (
            httpx.stream("GET", url, headers=_AS_IT_IS, follow_redirects=True, timeout=_SILENCE) as answer,
            file.open("wb") as target,
        ):
            answer.raise_for_status()
            for data in answer.iter_raw():
                uv.progress.check()
                size += target.write(data)
                if size > UNPACKED_BYTES or time.monotonic() > deadline:
                    raise BuildFailed(f"{shown} is too large, or took too long.", remedy="See build_seconds.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BuildFailed(
            f"{shown} could not be fetched.",
            remedy="Check the address and the network.",
            detail=without_credentials(str(error)),
        ) from error
