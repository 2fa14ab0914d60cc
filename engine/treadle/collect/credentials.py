"""Keeping user names, passwords and tokens out of what is stored, logged or shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import unquote

_USERINFO = re.compile(r"""(?<=://)[^/\s'"`]*@""")
_PASSWORDS = re.compile(r"UV_INDEX_\w+_PASSWORD")
_INDEXES = re.compile(r"UV_(DEFAULT_|EXTRA_)?INDEX(_URL)?|UV_FIND_LINKS")
_LEAST = 4
"""Shorter ones would be found in all kinds of words."""


def without_credentials(text: str, secrets: Collection[str] = ()) -> str:
    """Drop the user information of every URL in a text, and hide secrets that are known."""
    shown = _USERINFO.sub("", text)
    for secret in sorted(secrets, key=len, reverse=True):
        shown = shown.replace(secret, "****")
    return shown


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Passwords of package indexes that an environment holds, as they are and as an address has them.

    An address that is written wrong, such as with a slash in its password, is not known as one by whoever
    complains of it: therefore what it holds is looked for as it is.
    """
    found = {value for name, value in environment.items() if _PASSWORDS.fullmatch(name)}
    for name, value in environment.items():
        if _INDEXES.fullmatch(name):
            for address in value.split():
                user_information = address.partition("://")[2].rpartition("@")[0]
                found |= {user_information, user_information.partition(":")[2]}
    return frozenset(secret for word in found for secret in (word, unquote(word)) if len(secret) >= _LEAST)
