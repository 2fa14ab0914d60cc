"""Keeping user names, passwords and tokens out of what is stored, logged or shown."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"""(?<=://)[^/\s'"`]*@""")


def without_credentials(text: str) -> str:
    """Drop the user information of every URL in a text."""
    return _USERINFO.sub("", text)
