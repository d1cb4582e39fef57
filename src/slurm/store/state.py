"""State: where a cluster's journal and lease lie, by the StateSaveLocation and the number of controllers.

Not here: the backends (`sqlite_state` …), who may own the folder (`slurmctld.service`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from slurm.config import state_location
from slurm.model.errors import ConfigError, Unsupported
from slurm.store.history_sources import Source
from slurm.store.journal import Journal, Replica
from slurm.store.lease import Lease, Term
from slurm.store.sqlite_state import SqliteState


class State(Protocol):
    """The state of one cluster, as one of its controllers has it: read the lease, follow the journal, claim, then open the journal and
    write.

    A new leader opens the journal after its claim, restores (or goes on with what it followed) and appends `EpochStarted` first of all.
    """

    @property
    def location(self) -> str:
        """The StateSaveLocation, without secrets."""
        ...

    @property
    def folder(self) -> str:
        """Where files lie that belong to the state beside the journal."""
        ...

    @property
    def lease(self) -> Lease:
        """Who leads."""
        ...

    def journal(self, term: Term) -> Journal:
        """The journal, to be written in this term, which this process has claimed. StoreError."""
        ...

    def replica(self) -> Replica:
        """What another controller writes, to be followed. StoreError where this kind of state has one controller only."""
        ...

    def share_files(self, names: Sequence[str]) -> None:
        """Let every controller have the same small files in `folder`: what is kept already wins, what only lies here is kept from now on.

        Called by a leader before it reads them, and again after it made one. Nothing where all controllers have the same folder.
        """
        ...

    def close(self) -> None:
        """Let go of everything but the term; may be called twice."""
        ...


def open_state(location: str, *, cluster: str = "", now: float = 0.0, controllers: int = 1) -> State:
    """The state at a StateSaveLocation: a database of PostgreSQL, or a folder, with a SQLite file in it for one controller.

    A folder must be there, and be trusted by who calls. Nothing is written yet, but the tables of an empty database when it is first asked.
    Unsupported for what is not carried out; ConfigError, StoreError.
    """
    if state_location.is_one(location):
        return _in_postgresql(location, cluster)
    if controllers > 1:
        raise Unsupported(message="several SlurmctldHost with their state in a folder are not carried out yet", hints=[
            "give StateSaveLocation=postgresql://…, or one SlurmctldHost"])
    return SqliteState(location, cluster=cluster, now=now)


def history_source(location: str) -> Source | None:
    """What the history takes from where the state is not a file in the folder; None for a folder. ConfigError."""
    if not state_location.is_one(location):
        return None
    try:
        from slurm.store.postgres_history import PostgresSource  # here: sites without it need no psycopg
    except ImportError as error:
        raise _without_psycopg() from error
    return PostgresSource(state_location.parse(location))


def _in_postgresql(location: str, cluster: str) -> State:
    try:
        from slurm.store.postgres_state import PostgresState  # here: sites without it need no psycopg
    except ImportError as error:
        raise _without_psycopg() from error
    return PostgresState(state_location.parse(location), cluster=cluster)


def _without_psycopg() -> ConfigError:
    return ConfigError(message="StateSaveLocation=postgresql://… needs psycopg", hints=["pip install 'slurm-py[postgresql]'"])
