"""The accounting database on SQLite: the whole suite, and what only a file has."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from slurm.store.journal import StoreBusy
from tests.accounting_suite import *  # noqa: F403


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
