"""The tables of calls. Digests are their 32 bytes.

A record is whole in its row; what stands beside it only finds it. The result stands among the arguments,
under a name that no parameter can have.
"""

from __future__ import annotations

from treadle.cache.storages.sql.database import Schema

RESULT = "return"
"""Name of the result among the arguments, as annotations have it."""

_CALLS = """
CREATE TABLE IF NOT EXISTS treadle_calls (
    id NUMBERED,
    key BYTES NOT NULL UNIQUE,
    name TEXT NOT NULL,
    module TEXT,
    version TEXT,
    code BYTES,
    created DOUBLE PRECISION NOT NULL,
    used DOUBLE PRECISION NOT NULL,
    record BYTES NOT NULL
)
"""
_CALLS_BY_NAME = "CREATE INDEX IF NOT EXISTS treadle_calls_by_name ON treadle_calls (name, created, id)"
_CALLS_BY_TIME = "CREATE INDEX IF NOT EXISTS treadle_calls_by_time ON treadle_calls (created, id)"
_ARGUMENTS = """
CREATE TABLE IF NOT EXISTS treadle_arguments (
    call BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest BYTES NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (call, name)
) CLUSTERED
"""
_ARGUMENTS_BY_DIGEST = """
CREATE INDEX IF NOT EXISTS treadle_arguments_by_digest ON treadle_arguments (name, digest, created, call)
"""
_QUARANTINE = """
CREATE TABLE IF NOT EXISTS treadle_quarantine (
    id NUMBERED,
    key BYTES NOT NULL,
    found DOUBLE PRECISION NOT NULL,
    record BYTES NOT NULL
)
"""

CALLS = Schema(
    "calls", 1, (_CALLS, _CALLS_BY_NAME, _CALLS_BY_TIME, _ARGUMENTS, _ARGUMENTS_BY_DIGEST, _QUARANTINE)
)
