"""The life of packages and environments, activities that change it, and plugins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)
JSON = sa.Text()
WORD = sa.String(32)


def upgrade() -> None:
    """Add what is known of packages and environments, and the tables of activities and plugins."""
    op.add_column("environments", sa.Column("used_at", TIME))
    op.add_column("packages", sa.Column("group", sa.Text))
    op.add_column("packages", sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("packages", sa.Column("options", JSON, nullable=False, server_default="{}"))
    op.add_column("packages", sa.Column("provenance", JSON, nullable=False, server_default="{}"))
    _create_activities()
    _create_plugins()


def _create_activities() -> None:
    op.create_table(
        "activities",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("action", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("package", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("package_id", sa.Integer),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("prefect_flow_run_id", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("lease_until", TIME),
        sa.Column("cancel_requested_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sqlite_autoincrement=True,
    )


def _create_plugins() -> None:
    op.create_table(
        "plugins",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("identifier", sa.Text),
        sa.Column("state", WORD, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("description", JSON, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("package_id", sa.Integer, sa.ForeignKey("packages.id")),
        sa.Column("seen_at", TIME, nullable=False),
        sa.UniqueConstraint("owner_id", "location"),
        sqlite_autoincrement=True,
    )
