"""Who owns what. A laptop has one person and one project, which its ledger is created with."""

from __future__ import annotations

from sqlalchemy import select

from treadle.ledger.database import Transaction
from treadle.ledger.tables import people, projects

LOCAL_USER = "local"
DEFAULT_PROJECT = "default"


def local_user(tx: Transaction) -> int:
    """The id of the person who owns everything on a laptop."""
    return tx.scalars(select(people.c.id).where(people.c.name == LOCAL_USER)).one()


def default_project(tx: Transaction) -> int:
    """The id of the project that a laptop's datasets, workflows and runs belong to."""
    query = (
        select(projects.c.id)
        .join(people, people.c.id == projects.c.owner_id)
        .where(people.c.name == LOCAL_USER, projects.c.name == DEFAULT_PROJECT)
    )
    return tx.scalars(query).one()
