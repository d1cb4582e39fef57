"""The accounting database on real PostgreSQL and MariaDB servers: the whole suite, and servers that are killed while records come."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from slurm.model.accounting import JobFilter
from slurm.model.errors import StoreError
from slurm.store.accounting import entities
from slurm.store.accounting.database import Database
from slurm.store.accounting.schema import metadata
from slurm.store.accounting.storage import MYSQL, POSTGRESQL
from slurm.store.journal import StoreBusy
from tests.accounting_suite import *  # noqa: F403
from tests.accounting_suite import NOON, Feeding, job, seconds
from tests.policy_suite import *  # noqa: F403
from tests.system.database_servers import Server, running


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once it is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


@pytest.fixture(scope="module", params=[POSTGRESQL, MYSQL])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    # Not below pytest's own folder, which nobody else may enter: the server is another user.
    with tempfile.TemporaryDirectory(prefix="slurm-py-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with running(request.param, os.path.join(folder, "own")) as made:
            yield made


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    made = Database(server.storage)
    made.open()
    with made.engine.begin() as connection:  # as new, and sooner than by making all tables again
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))
        entities.begin(connection, 0.0)
    yield made
    made.close()


def test_a_database_server_that_is_killed_again_and_again_loses_and_doubles_nothing(server: Server, database: Database) -> None:
    controller = Feeding(database)
    numbers = iter(range(1, 1_000_000))
    stop = threading.Event()
    busy = 0

    def send() -> None:
        nonlocal busy
        while not stop.is_set():
            slice_ = controller.numbered(*(job(next(numbers), NOON, NOON + 60) for _ in range(200)))
            while True:
                try:
                    database.take("c", "j1", slice_)
                    break
                except StoreBusy:  # it is away: the same again, as slurmctld does
                    busy += 1
                    time.sleep(0.05)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        for _ in range(4):
            before = controller.sequence
            wait_until(lambda before=before: controller.sequence > before + 400)  # type: ignore[misc]
            server.kill()
            server.start()
    finally:
        stop.set()
    sender.join(60)
    assert not sender.is_alive() and busy >= 1, f"no message met a dead server ({busy})"
    controller.roll_up(NOON + 7200)
    assert [row.job.id for row in database.jobs(JobFilter(steps=False), "c")] == list(range(1, controller.sequence + 1))
    assert seconds(database, NOON, NOON + 7200) == {("physics", "anna"): 240 * controller.sequence}


def test_a_server_that_does_not_run_is_told_as_something_that_passes(server: Server) -> None:
    server.stop()
    try:
        with pytest.raises(StoreBusy) as caught:
            Database(server.storage).open()
        assert "it is tried again" in caught.value.hints[0] and "secret" not in "".join(caught.value.lines())
    finally:
        server.start()


def test_two_that_open_an_empty_database_at_once_do_not_hinder_each_other(server: Server, database: Database) -> None:
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            own = Database(server.storage)
            own.open()
            own.close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM accounts")).scalar() == 1


def test_the_packages_that_these_tests_need_are_installed() -> None:
    for word in ("postgresql", "mariadb-server"):
        assert subprocess.run(["dpkg", "-s", word], capture_output=True, check=False).returncode == 0, f"{word}: .ci/run installs it"


@pytest.mark.alone
def test_five_thousand_records_a_second_are_kept(server: Server, database: Database) -> None:
    controller = Feeding(database)
    slices = [controller.numbered(*(job(number, *times) for number in range(begin, begin + 1000)))
              for times in ((), (NOON,), (NOON, NOON + 60)) for begin in range(1, 5001, 1000)]
    began, theirs = time.process_time(), server.cpu_seconds()
    for each in slices:
        database.take("c", "j1", each)
    spent = time.process_time() - began + server.cpu_seconds() - theirs
    most = {POSTGRESQL: 1 / 5000, MYSQL: 1 / 1500}[server.kind]
    assert spent / 15_000 < most, f"{spent / 15_000 * 1e6:.0f} µs of CPU a record, slurmdbd's and the server's together"


def test_the_database_of_the_backup_host_is_asked_while_nobody_answers_at_the_first(
    server: Server, database: Database, caplog: pytest.LogCaptureFixture,
) -> None:
    away = Database(server.storage._replace(host="/nowhere/at/all", backup_host=server.storage.host))
    away.open()
    try:
        with away.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        assert [record.message for record in caplog.records if "is asked now" in record.message] == [
            f"the database at {server.storage.host} is asked now, not that at /nowhere/at/all"]
    finally:
        away.close()
    nobody = Database(server.storage._replace(host="/nowhere/at/all", backup_host="/nor/here"))
    with pytest.raises(StoreBusy):
        nobody.open()


def test_a_backup_host_is_not_asked_where_the_first_answers_and_refuses(server: Server, database: Database) -> None:
    """Whoever is refused must not write into another database instead."""
    refused = Database(server.storage._replace(name="nosuch", backup_host="/nowhere/at/all"))
    with pytest.raises((StoreBusy, StoreError), match="nosuch"):
        refused.open()
