"""Reading the keys of one table: of the right type, all known, none missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from treadle.errors import SettingsInvalid

_SECRETS = re.compile(r"secret|token|password|passphrase|credential|connection_string|(^|_)key$", re.I)

MASK = "***"


class Fields:
    """The keys of a table, each of which has to be asked for.

    Args:
        table: The table.
        place: Where it stands, as errors name it.
    """

    def __init__(self, table: object, place: str) -> None:
        if not isinstance(table, Mapping):
            raise SettingsInvalid(f"{place} is no table.", remedy=f"Write [{_last(place)}] and its keys.")
        self._left = dict(table)
        self._asked: list[str] = []
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> object:
        """Return what the key holds, of whatever type; None if it is not there."""
        self._asked.append(name)
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """Return the text of a key."""
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, value, "a text in quotes")

    def flag(self, name: str) -> bool:
        """Return whether a key is true."""
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self.wrong(name, value, "true or false")

    def switch(self, name: str) -> bool | str | None:
        """Return whether a key is true, or the text it holds."""
        value = self.take(name)
        if value is None or isinstance(value, bool | str):
            return value
        raise self.wrong(name, value, "true, false or a text in quotes")

    def count(self, name: str) -> int | None:
        """Return the number of a key that is whole and not below zero."""
        value = self.take(name)
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self.wrong(name, value, "a whole number, not below zero")

    def seconds(self, name: str) -> float | None:
        """Return the number of seconds of a key."""
        value = self.take(name)
        if value is None or (type(value) in (int, float) and value >= 0):  # type: ignore[operator]  # a number
            return value  # type: ignore[return-value]  # as checked above
        raise self.wrong(name, value, "a number of seconds, not below zero")

    def table(self, name: str) -> Mapping[str, object] | None:
        """Return the table of a key."""
        value = self.take(name)
        if value is None or isinstance(value, Mapping):
            return value
        raise self.wrong(name, value, "a table")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a key that holds a list."""
        value = self.take(name)
        if value is None:
            return ()
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(name, value, "a list of texts in quotes")

    def required(self, name: str) -> str:
        """Return the text of a key that has to be there."""
        value = self.text(name)
        if value is None:
            raise SettingsInvalid(f"{self.place}: {name} is required.", remedy=f'Write {name} = "…" there.')
        return value

    def end(self, also: Collection[str] = ()) -> None:
        """Refuse what is left.

        Args:
            also: Keys that are valid besides those that were asked for.
        """
        self.only(list(dict.fromkeys([*self._asked, *also])))

    def only(self, known: Collection[str]) -> None:
        """Refuse keys that are not among these; the nearest of them is named."""
        for name in self._left:
            if name not in known:
                raise unknown(name, known, place=self.place, kind="key")

    def wrong(self, name: str, value: object, wanted: str) -> SettingsInvalid:
        """Return the error of a key that cannot have that value."""
        shown = MASK if is_secret(name) else _shown(value)
        what = f"{self.place}: {name} cannot be {shown}."
        return SettingsInvalid(what, remedy=f"Write {wanted}.")


def is_secret(name: str) -> bool:
    """Whether what a key of that name holds is never shown."""
    return _SECRETS.search(name) is not None


def unknown(name: str, known: Collection[str], *, place: str, kind: str) -> SettingsInvalid:
    """Return the error of a name that is none of those known; the nearest of them is named."""
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    hint = f"; the nearest is {near[0]!r}" if near else ""
    valid = ", ".join(known) or "none"
    return SettingsInvalid(f"{place}: there is no {kind} {name!r}{hint}.", remedy=f"Valid there: {valid}.")


def _last(place: str) -> str:
    return place.rpartition(" ")[2].replace("[", "").replace("]", "").strip(":")


def _shown(value: object) -> str:
    """Write a value down, but nothing that is within a table: it may be secret."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        return "an array of tables"
    return repr(value)
