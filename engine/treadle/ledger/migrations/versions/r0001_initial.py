"""The first schema, with the one person and the one project that a laptop has."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
JSON = sa.Text()
WORD = sa.String(32)


def upgrade() -> None:
    """Create all tables."""
    _create_people()
    _create_packages()
    _create_datasets_and_workflows()
    _create_runs()
    _add_local_person()


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("owner_id", "name"),
        sqlite_autoincrement=True,
    )


def _create_packages() -> None:
    op.create_table(
        "environments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("lock", sa.Text, nullable=False),
        sa.Column("python", sa.Text, nullable=False),
        sa.Column("python_version", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("build_seconds", sa.Double, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "packages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("origin", WORD, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("environment_id", sa.Text, sa.ForeignKey("environments.id"), nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("owner_id", "name", "version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("package_id", sa.Integer, sa.ForeignKey("packages.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.UniqueConstraint("package_id", "name"),
        sqlite_autoincrement=True,
    )


def _create_datasets_and_workflows() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("zarr_dir", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("project_id", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        sa.Column("dataset_id", sa.Integer, sa.ForeignKey("datasets.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("zarr_url", sa.Text, nullable=False),
        sa.Column("origin", sa.Text),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("types", JSON, nullable=False),
        sa.UniqueConstraint("dataset_id", "zarr_url"),
    )
    op.create_table(
        "workflows",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.UniqueConstraint("project_id", "name"),
        sqlite_autoincrement=True,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("project_id", sa.Integer, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("workflow_id", sa.Integer, sa.ForeignKey("workflows.id")),
        sa.Column("dataset_id", sa.Integer, sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("prefect_flow_run_id", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("snapshot", sa.LargeBinary, nullable=False),
        sa.Column("driver", sa.Text),
        sa.Column("lease_until", TIME),
        sa.Column("cancel_requested_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "steps",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("units", sa.Integer),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("merge_order", sa.Integer),
        sa.Column("merged_without", JSON),
    )
    op.create_table(
        "units",
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", WORD, nullable=False),
        sa.Column("zarr_url", sa.Text),
        sa.Column("args", JSON, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("cause", WORD),
        sa.Column("error", sa.Text),
        sa.Column("output", JSON),
        sa.Column("exit_code", sa.Integer),
        sa.Column("seconds", sa.Double),
        sa.Column("cpu_seconds", sa.Double),
        sa.Column("peak_memory_bytes", sa.BigInteger),
        sa.Column("host", sa.Text),
        sa.Column("worker", sa.Text),
        sa.Column("started_at", TIME),
        sa.Column("log_file", sa.Text),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("log_length", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["run_id", "position"], ["steps.run_id", "steps.position"]),
    )


def _add_local_person() -> None:
    people = sa.table("people", sa.column("id"), sa.column("name"), sa.column("created_at", TIME))
    projects = sa.table("projects", sa.column("owner_id"), sa.column("name"), sa.column("created_at", TIME))
    created = datetime.now(UTC)
    op.execute(people.insert().values(name="local", created_at=created))
    owner = sa.select(people.c.id).where(people.c.name == "local").scalar_subquery()
    op.execute(projects.insert().values(owner_id=owner, name="default", created_at=created))
