"""The accounting database on SQLite: the whole suite, and what only a file has."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.accounting import schema
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.store.journal import StoreBusy
from tests.accounting_suite import *  # noqa: F403
from tests.policy_suite import *  # noqa: F403


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(Storage(SQLITE, str(tmp_path / "accounting.db")))
    made.open()
    yield made
    made.close()


def test_a_file_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as caught:
        Database(Storage(SQLITE, str(tmp_path / "nowhere" / "accounting.db"))).open()
    assert "nowhere must exist" in caught.value.hints[0]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "accounting.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="not a database") as caught:
        Database(Storage(SQLITE, str(path))).open()
    assert not isinstance(caught.value, StoreBusy)


def test_a_write_that_another_program_blocks_may_be_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(database.storage.name, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("slurm.store.accounting.engine.LOCK_SECONDS", 0.05)
    hurried = Database(database.storage)
    with pytest.raises(StoreBusy, match="locked"):
        Feeding(hurried)  # noqa: F405
    other.execute("ROLLBACK")
    Feeding(hurried)  # noqa: F405
    hurried.close()
    other.close()


@pytest.mark.slow
def test_one_job_or_a_users_day_among_a_million_is_found_in_a_second(database: Database) -> None:
    Feeding(database).take(job(1, NOON, NOON + 600))  # noqa: F405
    columns = [column.name for column in schema.jobs.c if column.name not in ("id", "job_id", "user_name", "time_submit", "time_start", "time_end", "time_over")]
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO jobs (job_id, user_name, time_submit, time_start, time_end, time_over, {', '.join(columns)}) "
            "WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000) "
            f"SELECT n, 'user' || (n % 500), time_submit + n * 30, time_start + n * 30, time_end + n * 30, time_over + n * 30, {', '.join(columns)} FROM jobs, numbers")
    middle = NOON + 15_000_000.0  # noqa: F405
    day = {"since": middle, "until": middle + 86_400}
    for asked, least in (({"jobs": [(500_000, None, None)]}, 1), ({"users": ["user7"], **day}, 5), (day, 2880)):
        began = time.process_time()
        found_now = found(database, **asked)  # type: ignore[arg-type]  # noqa: F405
        assert len(found_now) >= least and time.process_time() - began < 1.0, asked
