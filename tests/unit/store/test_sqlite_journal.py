"""The SQLite journal: what it keeps, and what it refuses with a sentence."""

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.journal.shapes import VERSION
from slurm.model.errors import StoreError
from slurm.store.journal import Record, StoreBusy
from slurm.store.payloads import digest
from slurm.store.sqlite_journal import SqliteJournal

SRC = str(Path(__file__).parents[3] / "src")


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def filled(path: str, count: int) -> None:
    journal = SqliteJournal(path)
    for number in range(1, count + 1):
        journal.append([record(f"event {number} " + "x" * 200)])
    journal.close()


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code that has `journal` (argument 1) open in a process of its own."""
    opening = (
        "import os, sys, signal, resource\n"
        "from slurm.store.sqlite_journal import SqliteJournal\n"
        "from slurm.store.journal import Record, StoreBusy\n"
        "journal = SqliteJournal(sys.argv[1])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", opening + code, *arguments], env={**os.environ, "PYTHONPATH": SRC}, capture_output=True, text=True,
        timeout=60, check=False)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


def test_events_come_back_in_order_after_reopening(path: str) -> None:
    journal = SqliteJournal(path)
    assert journal.append([record("a"), record("b")]) == 2
    assert journal.append([record("c")]) == 3
    journal.close()
    journal = SqliteJournal(path)
    assert journal.last_seq == 3
    assert list(journal.replay()) == [(1, VERSION, "Submitted", b"a"), (2, VERSION, "Submitted", b"b"), (3, VERSION, "Submitted", b"c")]
    assert [entry.seq for entry in journal.replay(after=2)] == [3]
    assert journal.append([record("d")]) == 4
    journal.close()


def test_the_file_is_readable_by_its_owner_alone(path: str) -> None:
    SqliteJournal(path).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_payloads_are_kept_once_with_the_event_that_names_them(path: str) -> None:
    script = b"#!/bin/sh\ntrue\n" * 100
    journal = SqliteJournal(path)
    journal.append([record("a")], [script, b"env"])
    journal.append([record("b")], [script])
    assert journal.payload(digest(script)) == script
    journal.close()
    rows = sqlite3.connect(path).execute("SELECT length(blob) FROM payloads ORDER BY 1").fetchall()
    assert len(rows) == 2
    assert rows[1][0] < len(script) / 5


def test_a_sweep_drops_what_nothing_names_and_a_later_event_brings_it_back(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append([record("a")], [b"one", b"two"])
    assert journal.sweep({digest(b"two")}) == 1
    assert journal.payload(digest(b"two")) == b"two"
    with pytest.raises(StoreError, match="is missing"):
        journal.payload(digest(b"one"))
    journal.append([record("b")], [b"one"])
    assert journal.payload(digest(b"one")) == b"one"
    journal.close()


def test_a_second_controller_is_refused_with_the_pid_of_the_first(path: str) -> None:
    journal = SqliteJournal(path)
    with pytest.raises(StoreError, match=rf"in use by another slurmctld \(pid {os.getpid()}\)"):
        SqliteJournal(path)
    journal.close()
    SqliteJournal(path).close()


def test_a_refused_file_leaves_no_lock_behind(path: str) -> None:
    Path(path).write_text("this is no database, but it is long enough to be looked at" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="no journal of slurm-py"):
            SqliteJournal(path)


def test_a_database_of_somebody_else_is_refused(path: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(StoreError, match="is no journal of slurm-py"):
        SqliteJournal(path)


def test_a_newer_format_is_refused_and_left_alone(path: str) -> None:
    filled(path, 1)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(StoreError, match="written by a newer slurm-py: it has format 99, this one reads up to 2") as caught:
        SqliteJournal(path)
    assert path in caught.value.message
    assert caught.value.hints


def test_the_state_of_another_cluster_is_refused(path: str) -> None:
    SqliteJournal(path, cluster="tux").close()
    SqliteJournal(path, cluster="tux").close()
    with pytest.raises(StoreError, match="holds the state of cluster tux, but ClusterName is gnu"):
        SqliteJournal(path, cluster="gnu")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        SqliteJournal(str(tmp_path / "none" / "journal.db"))


def test_a_changed_event_is_found_by_its_checksum(path: str) -> None:
    filled(path, 3)
    data = bytearray(Path(path).read_bytes())
    data[data.index(b"event 2") + 6] ^= 1
    Path(path).write_bytes(data)
    journal = SqliteJournal(path)
    replay = journal.replay()
    assert next(replay)[0] == 1
    with pytest.raises(StoreError, match=r"journal\.db is damaged: event 2 \(Submitted\) has a wrong checksum"):
        next(replay)
    journal.close()


def test_a_changed_payload_is_found(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append([record("a")], [b"content"])
    journal.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE payloads SET blob = ?", (b"junk",))
    connection.close()
    journal = SqliteJournal(path)
    with pytest.raises(StoreError, match="is damaged"):
        journal.payload(digest(b"content"))
    journal.close()


def test_missing_events_are_found_wherever_they_were(path: str) -> None:
    for gone in (1, 2):
        filled(f"{path}{gone}", 3)
        connection = sqlite3.connect(f"{path}{gone}", isolation_level=None)
        connection.execute("DELETE FROM events WHERE seq = ?", (gone,))
        connection.close()
        journal = SqliteJournal(f"{path}{gone}")
        with pytest.raises(StoreError, match=f"event {gone} is missing"):
            list(journal.replay())
        journal.close()


def test_a_broken_page_is_told_as_damage(path: str) -> None:
    filled(path, 200)
    data = bytearray(Path(path).read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096:page * 4096 + 64] = os.urandom(64)
    Path(path).write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        journal = SqliteJournal(path)
        try:
            list(journal.replay())
        finally:
            journal.close()


APPEND_FOR_EVER = """
number = 0
while True:
    number = journal.append([Record(1.0, "Submitted", b"event %d" % (number + 1))])
    os.write(1, b"%d\\n" % number)
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_survives_kill_9(path: str) -> None:
    result = child(APPEND_FOR_EVER, path, "50")
    assert result.returncode == -signal.SIGKILL
    acknowledged = int(result.stdout.split()[-1])
    assert acknowledged == 50
    journal = SqliteJournal(path)
    assert [entry.body for entry in journal.replay()] == [b"event %d" % n for n in range(1, 51)]
    journal.close()


def test_kill_9_at_any_moment_loses_nothing_acknowledged(path: str) -> None:
    opening = "import os, sys\nfrom slurm.store.sqlite_journal import SqliteJournal\nfrom slurm.store.journal import Record\n"
    code = opening + "journal = SqliteJournal(sys.argv[1])\n" + APPEND_FOR_EVER
    for lines in (1, 20, 77):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, f"{path}{lines}", "0"], env={**os.environ, "PYTHONPATH": SRC}, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(lines):
            writer.stdout.readline()
        writer.kill()
        acknowledged = lines + len(writer.stdout.read().split())
        writer.stdout.close()
        writer.wait()
        journal = SqliteJournal(f"{path}{lines}")
        assert acknowledged <= journal.last_seq <= acknowledged + 1
        assert [entry.seq for entry in journal.replay()] == list(range(1, journal.last_seq + 1))
        journal.close()


def test_a_damaged_write_ahead_log_is_refused_every_time(path: str) -> None:
    """SQLite alone would drop everything behind the damage without a word."""
    child(APPEND_FOR_EVER, path, "40")
    log = Path(path + "-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(data)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"-wal is damaged behind frame \d+: at least \d+ acknowledged writes") as caught:
            SqliteJournal(path)
    lost = re.search(r"at least (\d+)", caught.value.message)
    assert lost is not None
    assert int(lost[1]) > 10


def test_a_write_cut_short_at_the_end_of_the_log_is_no_damage(path: str) -> None:
    child(APPEND_FOR_EVER, path, "40")
    log = Path(path + "-wal")
    log.write_bytes(log.read_bytes()[:-100])
    Path(path + "-shm").unlink()  # what is not synced: after the machine has stopped it does not count what the log has not
    journal = SqliteJournal(path)
    assert journal.last_seq in (39, 40)
    assert len(list(journal.replay())) == journal.last_seq
    journal.close()


@pytest.mark.parametrize("damage", [
    lambda log: log[:len(log) // 2], lambda log: b"", lambda log: log[:500] + b"x" * 84 + log[500:], lambda log: log[:17] + b"\xff" + log[18:]],
    ids=["cut", "empty", "moved", "another beginning"])
def test_a_log_that_has_lost_what_its_index_counts_is_refused(path: str, damage: Callable[[bytes], bytes]) -> None:
    child(APPEND_FOR_EVER, path, "40")
    log = Path(path + "-wal")
    log.write_bytes(damage(log.read_bytes()))
    with pytest.raises(StoreError, match="acknowledged writes cannot be read"):
        SqliteJournal(path)


def test_a_full_disk_is_told_and_the_journal_goes_on_when_there_is_space(path: str) -> None:
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal.append([Record(1.0, "a", b"first")])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(sys.argv[1] + "-wal") + 20000, hard))
written = 1
try:
    while True:
        journal.append([Record(1.0, "a", b"x" * 3000)], [os.urandom(1000)])
        written += 1
except StoreBusy as error:
    print(error)
try:
    journal.append([Record(1.0, "a", b"x" * 30000)])
except StoreBusy:
    print("still full")
assert journal.last_seq == written, (journal.last_seq, written)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert journal.append([Record(1.0, "a", b"last")]) == written + 1
assert sum(1 for _ in journal.replay()) == written + 1
print("went on")
"""
    result = child(code, path)
    assert result.returncode == 0, result.stderr
    first, second, third = result.stdout.splitlines()
    assert path in first and "cannot be written" in first
    assert (second, third) == ("still full", "went on")
    journal = SqliteJournal(path)
    assert [entry.body for entry in journal.replay()][-1] == b"last"
    journal.close()


def test_no_space_left_is_told_as_such(path: str) -> None:
    journal = SqliteJournal(path)
    journal._writer.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreBusy, match="no space is left for it") as caught:
        journal.append([record("x" * 100_000)])
    assert any("make room" in hint for hint in caught.value.hints)
    journal._writer.execute("PRAGMA max_page_count = 100000")
    assert journal.append([record("a")]) == 1
    journal.close()


def reopened(path: str) -> list[bytes]:
    journal = SqliteJournal(path)
    try:
        return [entry.body for entry in journal.replay()]
    finally:
        journal.close()


@pytest.mark.parametrize("removed", [["journal.db"], ["journal.db-wal"], ["journal.db", "journal.db-wal", "journal.db-shm"], ["journal.db.lock"], None])
def test_what_somebody_removed_is_written_anew_with_all_that_was_acknowledged(tmp_path: Path, removed: list[str] | None) -> None:
    path = str(tmp_path / "journal.db")
    journal = SqliteJournal(path, cluster="c")
    journal.append([record("a"), record("b")], [b"script"])
    for name in os.listdir(tmp_path) if removed is None else removed:
        (tmp_path / name).unlink()
    journal.append([record("c")])
    assert [entry.body for entry in journal.replay()] == [b"a", b"b", b"c"]
    with pytest.raises(StoreError, match="in use by another slurmctld"):
        SqliteJournal(path, cluster="c")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert journal.payload(digest(b"script")) == b"script"
    journal.close()
    assert reopened(path) == [b"a", b"b", b"c"]
    assert sorted(os.listdir(tmp_path)) == ["journal.db", "journal.db.lock"]


def test_while_the_folder_is_gone_nothing_is_taken_and_afterwards_everything(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    path = str(folder / "journal.db")
    journal = SqliteJournal(path)
    journal.append([record("a")])
    folder.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(StoreBusy, match="gone with its folder"):
            journal.append([record("b")])
    with pytest.raises(StoreBusy):
        journal.append([])
    folder.mkdir()
    assert journal.append([record("b")]) == 2
    journal.close()
    assert reopened(path) == [b"a", b"b"]


def test_a_file_that_took_the_journals_place_is_neither_written_nor_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal(str(path))
    journal.append([record("a")])
    filled(str(tmp_path / "backup.db"), 1)
    before = (tmp_path / "backup.db").read_bytes()
    os.replace(tmp_path / "backup.db", path)
    with pytest.raises(StoreBusy, match="was replaced by another file"):
        journal.append([record("b")])
    assert path.read_bytes() == before
    path.rename(tmp_path / "aside.db")
    assert journal.append([record("b")]) == 2
    journal.close()
    assert reopened(str(path)) == [b"a", b"b"]


def test_when_another_slurmctld_took_the_state_meanwhile_this_one_ends(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    journal = SqliteJournal(path)
    os.unlink(path + ".lock")
    other = SqliteJournal(path)
    with pytest.raises(StoreError, match="in use by another slurmctld") as caught:
        journal.append([record("a")])
    assert not isinstance(caught.value, StoreBusy)
    other.close()
    journal.close()
