"""What may be asked of one collection beside its source."""

from __future__ import annotations

from typing import Annotated

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import AfterValidator, Field

from treadle.model.constrained import Text, Value


def _pins(pins: dict[str, str]) -> dict[str, str]:
    return {canonicalize_name(name): str(Version(version)) for name, version in sorted(pins.items())}


Pins = Annotated[dict[str, str], AfterValidator(_pins)]
"""Versions by the normalised names of distributions."""


class CollectOptions(Value):
    """How a source is to be collected.

    Attributes:
        python: Version out of the setting `pythons`, or absolute path of an interpreter; None: the default.
        pins: Versions that the resolution has to keep to; each must be among what the package needs.
        overrides: Versions that are installed whatever the packages themselves ask for.
        exclude_newer: Date or time; what the index got later is not seen.
        builds: Distributions of an index that may be built from source, beside those of the settings.
        editable: The folder's own files are used, not a copy of them.
    """

    python: Text | None = None
    pins: Pins = Field(default_factory=dict)
    overrides: Pins = Field(default_factory=dict)
    exclude_newer: Text | None = None
    builds: tuple[str, ...] = ()
    editable: bool = False


NOTHING_ASKED = CollectOptions()
"""Everything as the settings have it."""
