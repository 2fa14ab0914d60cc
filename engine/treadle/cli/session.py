"""What one command works with: the settings and the ledger."""

from __future__ import annotations

from treadle.authoring.session import Session, open_session

__all__ = ["Session", "open_session"]
