"""State in a real PostgreSQL: the journal's whole suite, the fence, a server that is killed, replicas, and what is refused."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from slurm.config.state_location import Location, parse
from slurm.journal import rows
from slurm.journal.row import Row
from slurm.model.errors import StoreError
from slurm.model.request import PayloadRef
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.state_copy import copy
from slurm.store.accounting.storage import POSTGRESQL
from slurm.store.journal import Missed, Origin, Record, StoreBusy
from slurm.store.lease import Deposed, Overtaken
from slurm.store.parcels import Kept, Note, Notes, Parcel
from slurm.store.payloads import digest
from slurm.store.postgres_journal import PostgresJournal
from slurm.store.postgres_link import Link, Unknown, check, require_durable, translated
from slurm.store.postgres_state import PostgresState
from slurm.store.sqlite_journal import SqliteJournal
from tests.lease_suite import check_random_walks
from tests.system.database_servers import DATABASE, Server, running
from tests.upgrade import history, keep

TABLES = "leader, beats, meta, events, rows, complete, payloads, outbox, notices, files"


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def row(key: int | str, text: str | None, kind: str = "job") -> Row:
    return Row(kind, key, 20, text.encode() if text is not None else None)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not below pytest's own folder, which nobody else may enter: the server is another user.
    with tempfile.TemporaryDirectory(prefix="slurm-py-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with running(POSTGRESQL, os.path.join(folder, "own")) as made:
            yield made


@pytest.fixture
def location(server: Server) -> Location:
    found = parse(f"postgresql://{server.storage.user}@/{DATABASE}?host={server.storage.host}&may_lose_work=yes")
    with psycopg.connect("", autocommit=True, **found.parameters) as session:  # type: ignore[arg-type]
        session.execute(f"DROP TABLE IF EXISTS {TABLES}")
        session.execute("DROP FUNCTION IF EXISTS slurm_leads")
    return found


@pytest.fixture
def state(location: Location) -> Iterator[PostgresState]:
    made = PostgresState(location, cluster="c")
    yield made
    made.close()


@pytest.fixture
def journal(state: PostgresState) -> Iterator[PostgresJournal]:
    made = state.journal(state.lease.claim("a", "a:6817", 0))
    yield made
    made.close()


def others(location: Location) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect("", autocommit=True, **location.parameters)  # type: ignore[arg-type]


@contextmanager
def waiting_for_a_replica(session: psycopg.Connection[tuple[object, ...]], location: Location) -> Iterator[None]:
    """Every commit waits for a replica that is not there."""
    session.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    session.execute("SELECT pg_reload_conf()")
    try:
        while not commits_wait(session, location):
            pass
        yield
    finally:
        session.execute("ALTER SYSTEM RESET synchronous_standby_names")
        session.execute("SELECT pg_reload_conf()")


def commits_wait(session: psycopg.Connection[tuple[object, ...]], location: Location) -> bool:
    """Whether a commit waits by now: the server takes up its settings some time after it was told to."""
    with others(location) as probe:
        committing = threading.Thread(target=probe.execute, args=["CREATE TEMP TABLE probe ()"])
        committing.start()
        waits = False
        while committing.is_alive():
            found = session.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'", [probe.info.backend_pid])
            waits = bool(found.fetchall()) or waits
        committing.join()
    return waits


def eventually(write: Callable[[], int]) -> int:
    """What it returns once the store takes it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return write()
        except StoreBusy:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_events_payloads_parcels_and_notices_go_in_one_write_and_are_there_after_a_restart(state: PostgresState, journal: PostgresJournal) -> None:
    assert journal.append([record("a"), record("b")], [b"script", b"script"], [Parcel(1, b"one"), Parcel(2, b"two")],
                          notes=Notes([Note("mail", "k1", b"n1"), Note("mail", "k1", b"n1"), Note("http", "k2", b"n2")], clock=7.25)) == 2
    assert journal.append([], taken=1, notes=Notes(told=[1])) == 2
    journal.close()
    term = state.lease.claim("b", "", 1)
    again = state.journal(term)
    assert (again.id, again.last_seq, again.snapshot_seq) == (journal.id, 2, 0)
    assert [(entry.seq, entry.version, entry.body) for entry in again.replay()] == [(1, again.version, b"a"), (2, again.version, b"b")]
    assert again.payload(digest(b"script")) == b"script"
    assert (again.outbox(0, 10, 100), again.outbox_last(), again.outbox_kept()) == ([Parcel(2, b"two")], 2, Kept(2, 2))
    assert ([note.body for note in again.notes("http", 0, 9)], again.notes("mail", 0, 9)) == ([b"n2"], [])
    assert (again.notes_last(), again.notes_clock()) == (2, 7.25)
    assert again.append([record("c")], notes=Notes([Note("mail", "k3", b"n3")])) == 3
    assert [note.number for note in again.notes("mail", 0, 9)] == [3]
    assert again.sweep(set()) == 1
    with pytest.raises(StoreError, match="is missing"):
        again.payload(digest(b"script"))
    assert again.shapes()[again.version]
    assert again.rename() == again.id != journal.id
    again.close()


def test_snapshots_are_whole_or_not_there_and_what_they_replace_is_given_up(state: PostgresState, journal: PostgresJournal) -> None:
    journal.append([record(str(n)) for n in range(3)])
    journal.keep([row(n, "old") for n in range(700)])
    journal.keep([row("cn01", "up", "node")])
    assert list(journal.rows()) == []
    journal.complete(1, [row(0, "own", "cluster")], 702)
    journal.complete(2, [*(row(n, "new") for n in range(600)), row(699, None), row(0, "own2", "cluster")], 701)
    journal.keep([row(650, "half")])
    journal.close()
    again = state.journal(state.lease.claim("b", "", 1))
    kept = {found.name: found.body for found in again.rows()}
    assert (again.snapshot_seq, len(kept), kept["job", 5], kept["job", 650], kept["node", "cn01"]) == (2, 701, b"new", b"old", b"up")
    assert again.unfinished() == [("job", 650)]
    assert again.compact()
    again.complete(3, [row(0, "own3", "cluster")], 701)  # overtakes the compaction
    steps = 0
    while again.compact():
        steps += 1
    assert steps >= 2
    assert {found.name for found in again.rows()} == kept.keys()
    assert [entry.seq for entry in again.replay(2)] == [3]
    with pytest.raises(StoreError, match="event 1 is missing"):
        list(again.replay())
    again.close()


def test_a_deposed_controller_is_refused_by_the_database_whatever_it_writes(state: PostgresState, journal: PostgresJournal, location: Location) -> None:
    term = state.lease.read()
    assert term is not None
    journal.append([record("one")])
    other = PostgresState(location, cluster="c")
    with pytest.raises(Overtaken, match="a has epoch 1"):
        other.lease.claim("b", "", 0)
    new = other.journal(other.lease.claim("b", "", 1))
    new.append([record("two")])
    new.complete(2, [row(0, "own", "cluster")], 1)
    new.append([record("three")])
    new.complete(3, [row(0, "own", "cluster")], 1)
    while new.compact():  # position 2 is free again: the key alone would let the old one write there
        pass
    for write in (
            lambda: journal.append([record("late")]), lambda: journal.keep([row(1, "")]), lambda: journal.complete(1, [], 0),
            journal.rename, lambda: journal.forget([digest(b"x")]), lambda: state.lease.beat(term), lambda: state.lease.release(term)):
        with pytest.raises(Deposed, match="b leads since epoch 2"):
            write()
    assert [entry.body for entry in new.replay(3)] == []
    assert new.last_seq == 3
    new.close()
    other.close()


def test_a_claim_ends_the_transaction_of_one_that_sleeps_in_the_middle_of_it(state: PostgresState, journal: PostgresJournal, location: Location) -> None:
    journal.append([record("one")])
    with others(location) as sleeping:
        sleeping.execute("BEGIN")
        sleeping.execute("SELECT slurm_leads(1)")
        sleeping.execute("INSERT INTO events VALUES (2, 1.0, 'Submitted', 'x', 1, 20, 1)")
        began = time.monotonic()
        term = state.lease.claim("b", "", 1)
        assert time.monotonic() - began < 8
        with pytest.raises(psycopg.Error):
            sleeping.execute("COMMIT")
    new = state.journal(term)
    assert new.last_seq == 1
    new.close()


def test_beats_count_and_who_handed_over_writes_no_more(state: PostgresState, journal: PostgresJournal) -> None:
    term = state.lease.read()
    assert term is not None and (term.epoch, term.holder, term.address, term.beats) == (1, "a", "a:6817", 0)
    state.lease.beat(term)
    state.lease.beat(term)
    assert (seen := state.lease.read()) is not None and seen.beats == 2
    state.lease.release(term)
    assert (seen := state.lease.read()) is not None and seen.released
    with pytest.raises(Deposed, match="it has handed over"):
        journal.append([record("late")])
    assert state.lease.claim("b", "", 1, least=8).epoch == 9


def test_a_replica_sees_one_moment_and_is_told_when_it_is_too_far_behind(state: PostgresState, journal: PostgresJournal) -> None:
    journal.append([record("a")], [b"script"])
    journal.complete(1, [row(0, "own", "cluster")], 1)
    replica = state.replica()
    journal.append([record("b")], [], [Parcel(1, b"one")])
    assert (replica.last_seq, replica.snapshot_seq, list(replica.replay(1)), len(list(replica.rows()))) == (1, 1, [], 1)
    replica.refresh()
    assert ([entry.body for entry in replica.replay(1)], replica.outbox_last(), replica.payload(digest(b"script"))) == ([b"b"], 1, b"script")
    assert replica.unfinished() == []
    journal.complete(2, [row(0, "own", "cluster")], 1)
    while journal.compact():
        pass
    replica.refresh()
    with pytest.raises(Missed):
        list(replica.replay(0))
    assert [entry.seq for entry in replica.replay(1)] == [2]
    replica.close()


def test_a_write_whose_end_was_not_heard_is_found_and_not_written_twice(journal: PostgresJournal, location: Location) -> None:
    """Killed while the commit waits for a replica: it is kept, and nobody was told."""
    journal.append([record("a")])
    with others(location) as session:
        session.execute("SET synchronous_commit = off")
        with waiting_for_a_replica(session, location):
            def end() -> None:
                with others(location) as killer:
                    while not killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall():
                        time.sleep(0.02)

            ending = threading.Thread(target=end)
            ending.start()
            with pytest.raises(Unknown):
                journal.append([record("b"), record("c")], [], [Parcel(1, b"one")])
            ending.join()
        assert session.execute("SELECT count(*) FROM events").fetchone() == (3,)
    assert journal.last_seq == 1
    assert eventually(lambda: journal.append([record("b")], [], [Parcel(1, b"one")])) == 2  # grouped otherwise than before
    assert journal.append([record("c"), record("d")]) == 4
    assert [entry.body for entry in journal.replay()] == [b"a", b"b", b"c", b"d"]
    journal._unsure = True
    with others(location) as session:
        session.execute("INSERT INTO events VALUES (5, 1.0, 'Submitted', 'x', 1, 20, 1)")
    with pytest.raises(StoreError, match="event 5 is another one than was to be written"):
        journal.append([record("e")])


def test_the_server_is_killed_again_and_again_and_nothing_acknowledged_is_lost_or_doubled(server: Server, journal: PostgresJournal) -> None:
    acknowledged: list[int] = []
    stop = threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        while not stop.is_set():
            number = len(acknowledged) + 1
            try:
                assert journal.append([record(str(number))], [b"p"], [Parcel(number, b"x")]) == number
            except StoreBusy:
                time.sleep(0.02)
                continue
            except BaseException as error:
                failed.append(error)
                return
            acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            before, deadline = len(acknowledged), time.monotonic() + 30
            while len(acknowledged) < before + 50 and not failed:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            server.kill()
            server.start()
    finally:
        stop.set()
        writer.join(60)
    assert failed == []
    assert [int(entry.body) for entry in journal.replay()] == list(range(1, journal.last_seq + 1))
    assert journal.last_seq == len(acknowledged) == journal.outbox_last()


def test_a_database_that_lost_what_was_acknowledged_stops_the_controller(journal: PostgresJournal, location: Location) -> None:
    journal.append([record("a")])
    journal.append([record("b")])
    with others(location) as session:
        session.execute("DELETE FROM events WHERE seq = 2")
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'slurmctld epoch 1'")
    caught: list[StoreError] = []
    for _ in range(3):
        try:
            journal.append([record("c")])
        except StoreBusy:
            continue
        except StoreError as error:
            caught.append(error)
            break
    assert caught and "has lost event 2, which was acknowledged" in caught[0].message


def test_a_commit_whose_replica_was_not_waited_for_is_not_acknowledged_and_is_written_once(
        journal: PostgresJournal, location: Location) -> None:
    journal.append([record("a")])
    with others(location) as session:
        session.execute("SET synchronous_commit = off")
        cancelled = threading.Event()

        def cancel() -> None:
            with others(location) as killer:
                while not cancelled.is_set():
                    killer.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                    time.sleep(0.05)

        impatient = threading.Thread(target=cancel)
        with waiting_for_a_replica(session, location):
            impatient.start()
            try:
                with pytest.raises(Unknown):
                    journal.append([record("b")])
                assert journal.last_seq == 1
                with pytest.raises(Unknown):  # it is there by now, and still not confirmed
                    journal.append([record("b")])
            finally:
                cancelled.set()
                impatient.join()
    assert eventually(lambda: journal.append([record("b")])) == 2
    assert [entry.body for entry in journal.replay()] == [b"a", b"b"]


def test_a_server_that_may_forget_is_refused_with_a_sentence(location: Location) -> None:
    careful = location._replace(may_lose_work=False)
    with others(location) as session, pytest.raises(StoreBusy, match="does not wait for its disk"):
        check(session, careful)
    require_durable(careful, "on", "", 0)
    require_durable(careful, "on", "ANY 1 (db2, db3)", 2)
    with pytest.raises(StoreBusy, match="1 replicas follow it, but synchronous_standby_names is empty"):
        require_durable(careful, "on", "", 1)
    with pytest.raises(StoreBusy, match="2 servers are named, but synchronous_standby_names is empty"):
        require_durable(parse("postgresql://db1,db2/slurm"), "on", "", 0)
    with pytest.raises(StoreBusy, match="does not wait for its disk"), Link(careful, "test").using():
        pass


def test_another_clusters_database_and_a_later_versions_are_refused_before_anything_is_claimed(state: PostgresState, location: Location) -> None:
    assert state.lease.read() is None
    with pytest.raises(StoreError, match="holds the state of cluster c, but ClusterName is d"):
        PostgresState(location, cluster="d").lease.claim("a", "", 0)
    later = state.journal(state.lease.claim("a", "", 0))
    later.version = 10_000
    later.append([record("a")])
    later.close()
    with pytest.raises(StoreError, match="its records have version 10000"):
        PostgresState(location, cluster="c").lease.claim("b", "", 1)
    with others(location) as session:
        assert session.execute("SELECT epoch FROM leader").fetchone() == (1,)


def test_small_files_are_shared_by_controllers(location: Location, tmp_path: object) -> None:
    folders = [tempfile.mkdtemp(dir=str(tmp_path)) for _ in range(2)]
    one, other = (PostgresState(location._replace(folder=folder), cluster="c") for folder in folders)
    with open(os.path.join(folders[0], "credential.key"), "wb") as file:
        file.write(b"secret")
    with open(os.path.join(folders[1], "credential.key"), "wb") as file:
        file.write(b"another")
    one.share_files(["credential.key", "none"])
    other.share_files(["credential.key", "none"])
    with open(os.path.join(folders[1], "credential.key"), "rb") as file:
        assert file.read() == b"secret"
    assert os.stat(os.path.join(folders[1], "credential.key")).st_mode & 0o777 == 0o600
    one.close()
    other.close()


def test_state_in_postgresql_does_what_the_model_does(location: Location) -> None:
    def pair() -> tuple[PostgresState, PostgresState]:
        with others(location) as session:
            session.execute(f"DROP TABLE IF EXISTS {TABLES}")
            session.execute("DROP FUNCTION IF EXISTS slurm_leads")
        return PostgresState(location, cluster="c"), PostgresState(location, cluster="c")

    check_random_walks(pair, seed=20, count=4, length=25)


def test_a_state_moves_from_a_file_to_postgresql_and_back_and_is_the_same(location: Location, server: Server, tmp_path: Path) -> None:
    address = f"postgresql://{server.storage.user}@/{DATABASE}?host={server.storage.host}&may_lose_work=yes"
    folder, back = tmp_path / "state", tmp_path / "back"
    folder.mkdir()
    back.mkdir()
    keep.write(folder / "journal.db")
    source = SqliteJournal(str(folder / "journal.db"))
    cluster = restore(source)
    for job in cluster.jobs.values():  # the builders name contents that there are not
        job.payload = PayloadRef(script=digest(history.SCRIPT), environment=digest(history.ENVIRONMENT))
    rows.unsave_all(cluster)
    source.complete(source.last_seq, [*rows.unsaved(cluster), rows.own(cluster)], rows.count(cluster))
    source.append([], [history.SCRIPT, history.ENVIRONMENT], [Parcel(7, b"record")], notes=Notes([Note("mail", "k", b"n")], clock=2.5))
    source.close()
    told = copy(str(folder), address)
    assert told.jobs > 10
    with pytest.raises(StoreError, match="holds a state already"):
        copy(str(folder), address)
    assert copy(address, str(back)) == told
    leading = PostgresState(location)
    term = leading.lease.claim("ctl", "", leading.lease.read().epoch)  # type: ignore[union-attr]
    assert term.epoch > cluster.epoch
    journal = leading.journal(term)
    assert journal.append([record("next")]) == told.event + 1
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.1):
            leading.lease.beat(term)

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(StoreError, match="ctl leads with its state at PostgreSQL database"):
            copy(address, str(tmp_path / "third"), sleep=lambda seconds: time.sleep(0.5))
    finally:
        stop.set()
        beating.join()
    journal.close()
    leading.close()


def test_half_of_a_copy_is_no_state(state: PostgresState, journal: PostgresJournal, location: Location) -> None:
    journal.adopt(Origin("id", 12, 3, 4))
    journal.close()
    with pytest.raises(StoreError, match="holds half of a copy, which did not end"):
        PostgresState(location, cluster="c").lease.read()


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE meta SET value = 'x' WHERE key = 'format'", "meta has 'x' under format, which is no number"),
    ("DELETE FROM meta WHERE key = 'id'", "its table meta lacks the id or the cluster"),
    ("INSERT INTO meta VALUES ('shapes-x', 'y')", "under shapes-x, which is no number"),
    ("UPDATE meta SET value = 'x' WHERE key = 'outbox last'", "under outbox last, which is no number"),
    ("INSERT INTO meta VALUES ('notices clock', 'x')", "under notices clock, which is no moment"),
    ("UPDATE rows SET key = '[1]' WHERE kind = 'cluster'", "which is none"),
    ("UPDATE complete SET seq = 999", "covers event 999, but the newest of the events is 2"),
    ("DELETE FROM beats", "leader or beats has lost its row"),
    ("DELETE FROM leader", "leader or beats has lost its row"),
])
def test_what_somebody_else_wrote_into_the_database_is_told_and_never_passed_over(
        state: PostgresState, journal: PostgresJournal, location: Location, statement: str, said: str) -> None:
    journal.append([record("a")])
    journal.complete(1, [row(0, "own", "cluster")], 1)
    journal.append([record("b")])
    journal.close()
    with others(location) as session:
        session.execute(statement)
    with pytest.raises(StoreError, match=said):
        again = PostgresState(location, cluster="c")
        seen = again.lease.read()
        assert seen is not None
        opened = again.journal(seen)
        for look in (opened.outbox_last, opened.notes_clock, lambda: list(opened.rows()), opened.unfinished):
            look()


def test_an_epoch_is_above_that_of_every_event_whatever_the_row_of_the_leader_says(
        state: PostgresState, journal: PostgresJournal, location: Location) -> None:
    """Restored without the events, or changed by hand, it named an epoch that nodes and replay refuse."""
    journal.append([record("a")])
    with others(location) as session:
        session.execute("UPDATE events SET epoch = 7")
    term = state.lease.claim("b", "", 1)
    assert term.epoch == 8 and state.lease.read() == term
    new = state.journal(term)
    assert new.append([record("b")]) == 2
    new.close()


def test_a_session_that_was_ended_for_sleeping_within_a_transaction_is_tried_again(journal: PostgresJournal, location: Location) -> None:
    """A controller that was stopped for ten seconds in the middle of a write called its state unusable, instead of asking who leads."""
    for kind in (psycopg.errors.IdleInTransactionSessionTimeout, psycopg.errors.lookup("57P05"), psycopg.errors.AdminShutdown):
        assert isinstance(translated(location, kind("ended")), StoreBusy)
    journal.append([record("a")])
    with pytest.raises(StoreBusy), journal._writer.using() as session:
        session.execute("SET idle_in_transaction_session_timeout = '50ms'")
        session.execute("BEGIN")
        with others(location) as watcher:
            while watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (session.info.backend_pid,)).fetchone():
                time.sleep(0.02)
        session.execute("SELECT 1")
    assert eventually(lambda: journal.append([record("b")])) == 2
