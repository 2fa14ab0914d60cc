"""The ledger's tables. Every row that a person makes has an owner; ids that clients see are integers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias, get_args

from pydantic import JsonValue
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    false,
    text,
)

from treadle.ledger.columns import Json, ProgramText, UtcDateTime, choice_type, state_type
from treadle.model.constrained import Scalar
from treadle.model.states import Cause, RunState, StepState, UnitState
from treadle.model.task import Part

Origin: TypeAlias = Literal[
    "index", "folder", "editable", "wheel", "archive", "git", "script", "plugin", "custom", "python"
]
"""Where a package came from; what comes from an index or from git never changes under its version.

`python` stands for functions that the engine's own environment has, `custom` for an interpreter that somebody
else looks after: nothing was built for them.
"""

EnvironmentState: TypeAlias = Literal["pending", "building", "ready", "inactive", "broken"]
"""What can be done with an environment: only a ready one has a folder that units can use."""

Action: TypeAlias = Literal["collect", "deactivate", "reactivate", "delete", "repair"]
"""What an activity does with a package."""

ActivityState: TypeAlias = Literal["pending", "ongoing", "done", "failed", "cancelled"]
"""How far an activity is; the last three are its end."""

PluginKind: TypeAlias = Literal["plugin", "script", "project"]
"""What was found in a plugin folder: a module with a plugin's class, a script, or a Python project."""

PluginState: TypeAlias = Literal["found", "ready", "broken", "gone"]
"""What is known of a plugin: seen, installed, not to be used, or no longer at its place."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class _Identified(TypedColumns):
    id: Named[int] = Column(Integer, primary_key=True)


class _Owned(_Identified):
    owner_id: Named[int] = Column(ForeignKey("people.id"), nullable=False)


class _InProject(_Owned):
    project_id: Named[int] = Column(ForeignKey("projects.id"), nullable=False)


class PeopleColumns(_Identified):
    """Somebody who owns things; a laptop has one person."""

    name: Named[str] = Column(Text, unique=True)
    created_at: Named[datetime] = Column(UtcDateTime)


class ProjectColumns(_Owned):
    """What datasets, workflows and runs belong to."""

    name: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(UtcDateTime)


class EnvironmentColumns(TypedColumns):
    """A built environment; its id is the digest of what it was built from."""

    id: Named[str] = Column(Text, primary_key=True)
    owner_id: Named[int] = Column(ForeignKey("people.id"), nullable=False)
    lock: Named[str] = Column(Text)
    python: Named[str] = Column(Text)
    python_version: Named[str] = Column(Text)
    path: Named[str] = Column(Text)
    state: Named[EnvironmentState] = Column(choice_type(get_args(EnvironmentState)))
    created_at: Named[datetime] = Column(UtcDateTime)
    build_seconds: Named[float]
    size_bytes: Named[int] = Column(BigInteger)
    used_at: Named[datetime | None] = Column(UtcDateTime)


class PackageColumns(_Owned):
    """One collected version of a task package; its name is normalised."""

    name: Named[str] = Column(Text)
    version: Named[str] = Column(Text)
    origin: Named[Origin] = Column(choice_type(get_args(Origin)))
    source: Named[str] = Column(Text)
    environment_id: Named[str] = Column(Text, ForeignKey("environments.id"))
    root: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(UtcDateTime)
    group: Named[str | None] = Column(Text)
    active: Named[bool] = Column(Boolean)
    options: Named[JsonValue] = Column(Json[JsonValue](), nullable=False)
    provenance: Named[dict[str, str]] = Column(Json[dict[str, str]]())


class ActivityColumns(_Owned):
    """One collection of a package, or a change of its life; it outlives the package, with its log."""

    action: Named[Action] = Column(choice_type(get_args(Action)))
    state: Named[ActivityState] = Column(choice_type(get_args(ActivityState)))
    source: Named[str] = Column(Text)
    options: Named[JsonValue] = Column(Json[JsonValue](), nullable=False)
    package: Named[str | None] = Column(Text)
    version: Named[str | None] = Column(Text)
    package_id: Named[int | None] = Column(Integer)
    phase: Named[str] = Column(Text)
    log: Named[str] = Column(ProgramText)
    error: Named[str | None] = Column(ProgramText)
    prefect_flow_run_id: Named[str | None] = Column(Text)
    holder: Named[str | None] = Column(Text)
    lease_until: Named[datetime | None] = Column(UtcDateTime)
    cancel_requested_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)


class PluginColumns(_Owned):
    """A plugin, script or project that was found at one of the plugin sources."""

    kind: Named[PluginKind] = Column(choice_type(get_args(PluginKind)))
    origin: Named[str] = Column(Text)
    location: Named[str] = Column(Text)
    name: Named[str | None] = Column(Text)
    version: Named[str | None] = Column(Text)
    identifier: Named[str | None] = Column(Text)
    state: Named[PluginState] = Column(choice_type(get_args(PluginState)))
    problem: Named[str | None] = Column(ProgramText)
    description: Named[JsonValue] = Column(Json[JsonValue](), nullable=False)
    digest: Named[str] = Column(Text)
    package_id: Named[int | None] = Column(ForeignKey("packages.id"))
    seen_at: Named[datetime] = Column(UtcDateTime)


class TaskColumns(_Identified):
    """One task of a package; its owner is the package's."""

    package_id: Named[int] = Column(ForeignKey("packages.id"), nullable=False)
    name: Named[str] = Column(Text)
    type: Named[str] = Column(Text)
    definition: Named[JsonValue] = Column(Json[JsonValue](), nullable=False)


class DatasetColumns(_InProject):
    """A named list of items under one folder; a transient one serves a single run and is not listed."""

    name: Named[str] = Column(Text)
    zarr_dir: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(UtcDateTime)
    transient: Named[bool] = Column(Boolean)


class ItemColumns(TypedColumns):
    """One item of a dataset; positions grow in the order of arrival."""

    dataset_id: Named[int] = Column(ForeignKey("datasets.id"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    zarr_url: Named[str] = Column(Text)
    origin: Named[str | None] = Column(Text)
    attributes: Named[dict[str, Scalar]] = Column(Json[dict[str, Scalar]]())
    types: Named[dict[str, bool]] = Column(Json[dict[str, bool]]())


class WorkflowColumns(_InProject):
    """A workflow as it is exported."""

    name: Named[str] = Column(Text)
    definition: Named[JsonValue] = Column(Json[JsonValue](), nullable=False)
    created_at: Named[datetime] = Column(UtcDateTime)
    changed_at: Named[datetime] = Column(UtcDateTime)


class RunColumns(_InProject):
    """One execution of a plan. Names are kept, so that history survives what it was made from.

    The key is what asked for the run: whoever asks again with the same key means the same run. Recoveries
    count how often the run was taken up by itself after its driver died.
    """

    workflow_id: Named[int | None] = Column(ForeignKey("workflows.id"))
    dataset_id: Named[int] = Column(ForeignKey("datasets.id"), nullable=False)
    workflow: Named[str] = Column(Text)
    dataset: Named[str] = Column(Text)
    state: Named[RunState] = Column(state_type(RunState))
    error: Named[str | None] = Column(ProgramText)
    prefect_flow_run_id: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)
    plan: Named[str] = Column(Text)
    snapshot: Named[bytes] = Column(LargeBinary)
    driver: Named[str | None] = Column(Text)
    lease_until: Named[datetime | None] = Column(UtcDateTime)
    cancel_requested_at: Named[datetime | None] = Column(UtcDateTime)
    key: Named[str | None] = Column(Text)
    recoveries: Named[int]


class StepColumns(TypedColumns):
    """One step of a run; the counters follow its units.

    A step whose outputs are in the dataset has the indexes of the units that were not done at that time.
    """

    run_id: Named[int] = Column(ForeignKey("runs.id"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    name: Named[str] = Column(Text)
    state: Named[StepState] = Column(state_type(StepState))
    units: Named[int | None]
    done: Named[int]
    failed: Named[int]
    error: Named[str | None] = Column(ProgramText)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)
    merged_without: Named[list[int] | None] = Column(Json[list[int]]())
    cached: Named[int] = Column(Integer, server_default=text("0"))


class UnitColumns(TypedColumns):
    """One unit: what it was asked, and how its latest attempt ended.

    A cached one did not run: it was done in an earlier run, under the same key of the call cache.
    """

    run_id: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    position: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    index: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    part: Named[Part] = Column(state_type(Part))
    zarr_url: Named[str | None] = Column(Text)
    args: Named[dict[str, JsonValue]] = Column(Json[dict[str, JsonValue]]())
    state: Named[UnitState] = Column(state_type(UnitState))
    cause: Named[Cause | None] = Column(state_type(Cause))
    error: Named[str | None] = Column(ProgramText)
    output: Named[JsonValue] = Column(Json[JsonValue]())
    exit_code: Named[int | None]
    seconds: Named[float | None]
    cpu_seconds: Named[float | None]
    peak_memory_bytes: Named[int | None] = Column(BigInteger)
    host: Named[str | None] = Column(Text)
    worker: Named[str | None] = Column(Text)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    log_file: Named[str | None] = Column(Text)
    log_offset: Named[int] = Column(BigInteger)
    log_length: Named[int] = Column(BigInteger)
    attempt: Named[int]
    cached: Named[bool] = Column(Boolean, server_default=false())
    key: Named[str | None] = Column(Text)


class JobColumns(_Identified):
    """A job of a batch system that served a run; its owner is the run's.

    Batch systems count their jobs anew now and then, so that `id` alone tells two of one number apart: the
    larger one is the later. A job without a state has not ended.
    """

    run_id: Named[int] = Column(ForeignKey("runs.id"), nullable=False)
    name: Named[str] = Column(Text)
    cluster: Named[str] = Column(Text)
    job_id: Named[str] = Column(Text)
    shape: Named[str] = Column(Text)
    cpus: Named[int]
    memory_mb: Named[int | None] = Column(BigInteger)
    submitted_at: Named[datetime] = Column(UtcDateTime)
    started_at: Named[datetime | None] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)
    state: Named[str | None] = Column(Text)
    node: Named[str | None] = Column(Text)
    cpu_seconds: Named[float | None]
    peak_memory_mb: Named[int | None] = Column(BigInteger)
    text: Named[str | None] = Column(ProgramText)


people = Table("people", metadata, PeopleColumns, sqlite_autoincrement=True)
projects = Table(
    "projects", metadata, ProjectColumns, UniqueConstraint("owner_id", "name"), sqlite_autoincrement=True
)
environments = Table("environments", metadata, EnvironmentColumns)
packages = Table(
    "packages",
    metadata,
    PackageColumns,
    UniqueConstraint("owner_id", "name", "version"),
    sqlite_autoincrement=True,
)
activities = Table("activities", metadata, ActivityColumns, sqlite_autoincrement=True)
plugins = Table(
    "plugins", metadata, PluginColumns, UniqueConstraint("owner_id", "location"), sqlite_autoincrement=True
)
tasks = Table(
    "tasks", metadata, TaskColumns, UniqueConstraint("package_id", "name"), sqlite_autoincrement=True
)
datasets = Table(
    "datasets", metadata, DatasetColumns, UniqueConstraint("project_id", "name"), sqlite_autoincrement=True
)
items = Table("items", metadata, ItemColumns, UniqueConstraint("dataset_id", "zarr_url"))
workflows = Table(
    "workflows", metadata, WorkflowColumns, UniqueConstraint("project_id", "name"), sqlite_autoincrement=True
)
runs = Table("runs", metadata, RunColumns, sqlite_autoincrement=True)
Index("ix_runs_key", runs.c.key, unique=True)
steps = Table("steps", metadata, StepColumns)
units = Table(
    "units",
    metadata,
    UnitColumns,
    ForeignKeyConstraint(["run_id", "position"], ["steps.run_id", "steps.position"]),
)
jobs = Table("jobs", metadata, JobColumns, UniqueConstraint("run_id", "name"), sqlite_autoincrement=True)
