"""The schema of a database brought to the version of this program: made where there is none, upgraded where it is older, refused where
newer.

alembic is loaded where there is something to upgrade, and not otherwise: it costs every start of an embedded cluster a tenth of a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from slurm.model.errors import StoreError
from slurm.store.accounting import schema_policy as _policy  # noqa: F401  its tables belong to the metadata
from slurm.store.accounting.engine import told
from slurm.store.accounting.schema import HEAD, metadata
from slurm.store.accounting.storage import MYSQL, POSTGRESQL, Storage

LOCK_SECONDS = 120
MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")
_LOCK = 7_105_032
_versions = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


def prepare(engine: sa.Engine, storage: Storage, fill: Callable[[sa.Connection], None]) -> int:
    """Bring the database to version HEAD; the version that was found, 0 for an empty one, which `fill` fills.

    StoreError says what is in the way.
    """
    with told(storage), engine.connect().execution_options(writing=True) as connection, _alone(connection):
        found = version_of(connection)
        if found > HEAD:
            raise StoreError(message=f"{storage} was written by a newer slurm-py (schema {found}, this one knows {HEAD})", hints=[
                "install that version again, or restore the copy of the database that was made before"])
        if not found:
            metadata.create_all(connection)  # only those that are missing: MySQL may have been killed between two of them
            fill(connection)
            _versions.create(connection, checkfirst=True)
            connection.execute(sa.insert(_versions).values(version_num=f"{HEAD:04}"))
        elif found < HEAD:
            _upgrade(connection, found)
        return found


def version_of(connection: sa.Connection) -> int:
    """The version of the schema there, 0 where there is none."""
    if not sa.inspect(connection).has_table(_versions.name):
        return 0
    return int(connection.execute(sa.select(_versions.c.version_num)).scalar() or 0)


def _upgrade(connection: sa.Connection, found: int) -> None:
    """Run the steps from this version on, in their order."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory(MIGRATIONS)
    with Operations.context(MigrationContext.configure(connection, opts={"render_as_batch": True})):
        for step in reversed(list(steps.iterate_revisions("head", f"{found:04}"))):
            step.module.upgrade()
            connection.execute(sa.update(_versions).values(version_num=step.revision))


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """One transaction in which nobody else prepares the same database; in MySQL, where tables know no transactions, a lock around it."""
    if connection.dialect.name != MYSQL:
        with connection.begin():
            if connection.dialect.name == POSTGRESQL:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield
        return
    if not connection.execute(sa.text("SELECT GET_LOCK('slurm-py accounting', :seconds)"), {"seconds": LOCK_SECONDS}).scalar():
        raise StoreError(message="another slurmdbd is preparing the database", hints=[f"it did not end within {LOCK_SECONDS} s"])
    connection.commit()
    try:
        with connection.begin():
            yield
    finally:
        connection.execute(sa.text("SELECT RELEASE_LOCK('slurm-py accounting')"))
        connection.commit()
