"""Databases that earlier versions of slurm-py wrote: each is upgraded, and tells the same as on the day it was kept.

A change of the schema adds a step to `store/accounting/migrations/versions`, raises HEAD, and keeps a database of its own here:
`sqlite3 accounting.db .dump > tests/upgrade/accounting/NNNN.sql`.
"""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from slurm.model.accounting import JobFilter, UsageFilter
from slurm.model.ids import JobId
from slurm.model.policy import Qos
from slurm.model.policy_change import MODIFY, QOS, Change, PolicySettings, Which
from slurm.store.accounting import schema
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from tests.accounting_suite import JOURNAL, NOON, Feeding, job

KEPT = sorted((Path(__file__).parent / "accounting").glob("*.sql"))


def described(engine: sa.Engine) -> dict[str, object]:
    """Every table with its columns, indices and keys."""
    found = sa.inspect(engine)
    return {name: (
        {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(name)},
        sorted(str(index["name"]) for index in found.get_indexes(name)), sorted(map(str, found.get_unique_constraints(name))),
        found.get_pk_constraint(name)["constrained_columns"]) for name in found.get_table_names() if not name.startswith("sqlite_")}


def test_there_is_a_database_of_every_version() -> None:
    assert [int(path.stem) for path in KEPT] == list(range(1, schema.HEAD + 1))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_database_is_upgraded_and_tells_the_same(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "accounting.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(path.read_text())
    connection.close()
    database = Database(Storage(SQLITE, str(file)))
    database.open()
    fresh = Database(Storage(SQLITE, str(tmp_path / "fresh.db")))
    fresh.open()
    assert described(database.engine) == described(fresh.engine)
    rows = {(row.job.id, row.job.restarts): row for row in database.jobs(JobFilter(duplicates=True), "c")}
    assert list(rows) == [(1, 0), (2, 0), (2, 1), (3, 0)]
    assert rows[(JobId(1), 0)].job == job(1, NOON, NOON + 3600, script="a" * 64, comment="kept", wckey="w")
    assert [step.name for step in rows[(JobId(1), 0)].steps] == ["batch"] and database.payload("a" * 64) == b"#!/bin/sh\n"
    assert rows[(JobId(3), 0)].job.account == "default" and rows[(JobId(3), 0)].job.array_tasks == "1-9"
    (usage,) = database.usage_of_associations(UsageFilter(since=NOON, until=NOON + 3600, tres=["cpu"], users=["anna"]), "c")
    assert usage.seconds == 4 * (3600 - 60) + 4 * 3600
    controller = Feeding(database, journal=JOURNAL)
    assert controller.registered.through == 9
    controller.take(job(4, NOON))
    assert len(list(database.jobs(JobFilter(), "c"))) == 4
    database.close()
    fresh.close()


def test_a_database_from_before_policy_was_changed_takes_changes_of_it(tmp_path: Path) -> None:
    file = tmp_path / "accounting.db"
    with sqlite3.connect(file) as connection:
        connection.executescript((Path(__file__).parent / "accounting" / "0001.sql").read_text())
    connection.close()
    database = Database(Storage(SQLITE, str(file)))
    database.open()
    settings = PolicySettings(grace_time=60, usage_factor=2.0)
    database.policy.change(Change(verb=MODIFY, entity=QOS, which=Which(names=["normal"]), settings=settings), "root")
    (qos,), _ = database.policy.listed(QOS, Which(), 0, 10)
    assert isinstance(qos, Qos)
    assert (qos.grace_time, qos.usage_factor, qos.preempt_mode) == (60, 2.0, "cluster")
    database.close()
