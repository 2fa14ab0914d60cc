"""URLs of items: absolute POSIX paths or `s3://` addresses, and what lies inside what (Fractal 1.4, 1.7)."""

from __future__ import annotations

import posixpath

_S3 = "s3://"


def normalise_url(text: str) -> str:
    """Return the one spelling of an item's URL.

    Args:
        text: An absolute path, or an address that starts with `s3://`.

    Returns:
        The trimmed URL: a path is normalised, an S3 address only loses its trailing slashes.

    Raises:
        ValueError: The text is empty, is of another kind, or has a `..` component.
    """
    while (url := _normalise_once(text)) != text:
        text = url
    return url


def _normalise_once(text: str) -> str:
    url = text.strip()
    if not url:
        raise ValueError("must not be empty")
    if not url.startswith(("/", _S3)):
        raise ValueError(f"must start with '/' or 's3://', found {url!r}")
    if ".." in url.split("/"):
        raise ValueError(f"must not have a '..' component, found {url!r}")
    if url.startswith("/"):
        return "/" + posixpath.normpath(url).lstrip("/")
    bare = url.rstrip("/")
    if len(bare) < len(_S3):
        raise ValueError(f"must name a bucket, found {url!r}")
    return bare


def is_inside(url: str, folder: str) -> bool:
    """Say whether a URL lies strictly inside a folder, compared component by component.

    Raises:
        ValueError: One of the two is not a URL of an item.
    """
    inner, outer = normalise_url(url), normalise_url(folder)
    return inner != outer and inner.startswith(outer.rstrip("/") + "/")
