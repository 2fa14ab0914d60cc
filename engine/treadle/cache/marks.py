"""What an annotation may say of a parameter's part in the key."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeVar

T = TypeVar("T")


class Mark(Enum):
    """How a parameter counts."""

    IGNORED = "ignored"
    REQUIRED = "required"
    BY_CONTENT = "by content"


Ignored = Annotated[T, Mark.IGNORED]
"""A parameter that is left out of key and record: `log: Ignored[bool]`."""

Required = Annotated[T, Mark.REQUIRED]
"""A parameter that must be passed for the call to be cached: `seed: Required[int]`."""

ByContent = Annotated[T, Mark.BY_CONTENT]
"""A path that counts by what it leads to, file or folder, and not by its text: `image: ByContent[Path]`."""
