"""Runs by what asked for them, recoveries of runs, datasets that serve a single run, merges by place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add key and recoveries of runs and the mark of transient datasets; drop the order of merges."""
    op.add_column("datasets", sa.Column("transient", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("key", sa.Text))
    op.add_column("runs", sa.Column("recoveries", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_runs_key", "runs", ["key"], unique=True)
    op.drop_column("steps", "merge_order")
