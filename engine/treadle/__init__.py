"""Treadle: a workflow engine for science."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.model.marks import task
else:

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: `import treadle` alone costs nothing."""
        if name in __all__:
            from treadle.model import marks

            return getattr(marks, name)
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")


__all__ = ["task"]
