"""Units that were reused from the cache, what they are found by there, and how many a step has of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add mark and key of units, and the count of steps."""
    op.add_column("steps", sa.Column("cached", sa.Integer, nullable=False, server_default="0"))
    op.add_column("units", sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("units", sa.Column("key", sa.Text))
