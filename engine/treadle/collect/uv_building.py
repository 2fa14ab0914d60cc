"""Running uv where it builds distributions of an index: whatever it knows, the code that it runs can see.

uv hands its own environment on to every build. So here it has none of ours: what it needs to know of indexes,
their passwords and proxies is in a file of its own, which only this user can read.
"""

from __future__ import annotations

import json
import netrc
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

from treadle.collect.build_variables import build_variables
from treadle.collect.cache import usual_cache

_OWN = re.compile(
    r"(UV_(NO_INDEX|OFFLINE|CACHE_DIR|LINK_MODE|EXCLUDE_NEWER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|HTTP_\w+"
    r"|REQUEST_TIMEOUT|CONCURRENT_\w+|LOCK_TIMEOUT|PYTHON_DOWNLOADS)|SSL_CERT_(FILE|DIR))"
)
_PROXIES = {"http-proxy": "HTTP_PROXY", "https-proxy": "HTTPS_PROXY", "no-proxy": "NO_PROXY"}


def may_build(arguments: Sequence[str]) -> bool:
    """Whether a command of uv lets it build distributions of an index."""
    return "--no-binary" in arguments


@contextmanager
def apart_from_secrets(inherited: Mapping[str, str]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Variables and options for uv by which it can build, for as long as the body runs.

    Args:
        inherited: What uv would see if it built nothing.
    """
    with TemporaryDirectory(prefix="treadle-build-") as name:
        scratch = Path(name)
        file = scratch / "uv.toml"
        file.touch(mode=0o600)
        file.write_text(configuration(inherited), encoding="utf-8")
        own = {name: value for name, value in inherited.items() if _OWN.fullmatch(name)}
        variables = {
            "UV_CACHE_DIR": str(usual_cache(inherited)),
            **build_variables(inherited, scratch),
            **own,
        }
        yield variables, ["--config-file", str(file)]


def configuration(inherited: Mapping[str, str]) -> str:
    """Indexes, their credentials and proxies of an environment, as uv reads them from a file.

    Source: uv's reference, "Configuration" and "Package indexes"; indexes stand in the order of priority.
    """
    lines = []
    for option, variable in _PROXIES.items():
        value = inherited.get(variable) or inherited.get(variable.lower())
        if value:
            listed = [part.strip() for part in value.split(",")] if option == "no-proxy" else value
            lines.append(f"{option} = {json.dumps(listed)}")
    if found := inherited.get("UV_FIND_LINKS"):
        places = [_with_credentials(place, "", inherited) for place in re.split(r"[,\s]+", found.strip())]
        lines.append(f"find-links = {json.dumps(places)}")
    further = f"{inherited.get('UV_INDEX', '')} {inherited.get('UV_EXTRA_INDEX_URL', '')}".split()
    default = inherited.get("UV_DEFAULT_INDEX") or inherited.get("UV_INDEX_URL")
    for address in [*further, *([default] if default else [])]:
        name, url = _named(address)
        lines.append("[[index]]")
        lines += [f"name = {json.dumps(name)}"] if name else []
        lines.append(f"url = {json.dumps(_with_credentials(url, name, inherited))}")
        lines += ["default = true"] if address is default else []
    return "".join(f"{line}\n" for line in lines)


def _named(address: str) -> tuple[str, str]:
    name, equals, url = address.partition("=")
    return (name, url) if equals and re.fullmatch(r"[\w.-]+", name) else ("", address)


def _with_credentials(url: str, name: str, inherited: Mapping[str, str]) -> str:
    """An address with the credentials that uv would find in variables or in netrc."""
    parts = urlsplit(url)
    if "@" in parts.netloc or not parts.hostname:
        return url
    variable = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
    user, password = inherited.get(f"{variable}_USERNAME"), inherited.get(f"{variable}_PASSWORD")
    if not name or (user is None and password is None):
        user, password = _from_netrc(parts.hostname, inherited)
    if user is None and password is None:
        return url
    known = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}"
    return parts._replace(netloc=f"{known}@{parts.netloc}").geturl()


def _from_netrc(host: str, inherited: Mapping[str, str]) -> tuple[str | None, str | None]:
    file = inherited.get("NETRC") or str(Path(inherited.get("HOME", "~")).expanduser() / ".netrc")
    try:
        found = netrc.netrc(file).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None, None  # as for uv, a file that cannot be read has nothing to say
    return (found[0], found[2]) if found else (None, None)
