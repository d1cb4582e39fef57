"""Whatever happens to the journal's bytes: all that was acknowledged comes back, or the daemon says that it is damaged. Never less, in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from slurm.journal.row import Row
from slurm.model.errors import StoreError
from slurm.store.journal import Record
from slurm.store.payloads import digest
from slurm.store.sqlite_journal import SqliteJournal
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_stays

WithSeed = Callable[[Callable[[], None]], None]
EVENTS = 60
PAYLOAD = b"#!/bin/sh\n" * 900
BODIES = [b"event %d " % number * (1 + number % 90) for number in range(EVENTS)]
DAMAGE = st.tuples(
    st.sampled_from(["flip", "flip", "flip", "zero", "random", "cut", "double"]), st.floats(0, 1, exclude_max=True), st.integers(1, 700), st.integers(0, 7), st.binary(min_size=1, max_size=30))
Damage = tuple[str, float, int, int, bytes]


def written(folder: Path, *, killed: bool) -> Path:
    """A journal as it was closed, or as kill -9 left it: with its write-ahead log beside it."""
    path = folder / "live" / "journal.db"
    path.parent.mkdir()
    journal = SqliteJournal(str(path), cluster="test")
    for number, body in enumerate(BODIES):
        journal.append([Record(at=float(number), kind="Submitted", body=body)], [PAYLOAD] if number == 3 else [])
        if number == EVENTS // 3:
            journal.keep([Row("job", key, 1, b"state " * 50) for key in range(20)])
            journal.complete(number + 1, [Row("own", 0, 1, b"last")], 21)
    kept = folder / "kept"
    kept.mkdir()
    if not killed:
        journal.close()
    for file in path.parent.iterdir():
        if not file.name.endswith(".lock"):
            shutil.copy(file, kept / file.name)
    journal.close()
    return kept / "journal.db"


def read(path: Path) -> list[bytes]:
    """Everything in it; StoreError."""
    journal = SqliteJournal(str(path), cluster="test")
    try:
        rows = list(journal.rows())
        assert sorted(row.body or b"" for row in rows) == sorted([b"last", *[b"state " * 50] * 20]), f"{len(rows)} rows of the snapshot"
        assert journal.snapshot_seq == EVENTS // 3 + 1
        events = BODIES[:EVENTS // 3 + 1] + [entry.body for entry in journal.replay(EVENTS // 3 + 1)]
        assert journal.payload(digest(PAYLOAD)) == PAYLOAD
        assert journal.last_seq >= len(events)
        return events
    finally:
        journal.close()


def damaged(content: bytes, damage: Damage) -> bytes:
    """The bytes after something has happened to them."""
    how, place, length, bit, junk = damage
    at = int(place * len(content))
    if how == "flip":
        return content[:at] + bytes((content[at] ^ 1 << bit,)) + content[at + 1:]
    if how == "cut":
        return content[:max(1, at)]  # an empty file is one that was never written
    if how == "double":
        return content[:at] + content[max(0, at - length):at] + content[at:]
    return content[:at] + (b"\0" * length if how == "zero" else junk)[:len(content) - at] + content[at + (length if how == "zero" else len(junk)):]


def judge(path: Path, what: str, damage: Damage) -> None:
    """All of it, or a StoreError that names the file and says what to do."""
    try:
        found = read(path)
    except StoreError as error:
        assert error.hints and str(path) in error.message, error.lines()
        return
    assert found == BODIES, f"{len(found)} of {EVENTS} events came back after {what} {damage[:4]}"


def test_a_file_that_was_closed(with_seed: WithSeed, tmp_path: Path) -> None:
    whole = written(tmp_path, killed=False).read_bytes()

    @fuzzed(80)
    @given(DAMAGE)
    def attack(damage: Damage) -> None:
        folder = tmp_path / "tried"
        folder.mkdir(exist_ok=True)
        path = folder / "journal.db"
        path.write_bytes(damaged(whole, damage))
        try:
            judge(path, "the file", damage)
        finally:
            shutil.rmtree(folder)

    with nothing_stays():
        with_seed(attack)


def test_a_file_and_the_log_that_a_killed_controller_left(with_seed: WithSeed, tmp_path: Path) -> None:
    kept = written(tmp_path, killed=True).parent
    names = [file.name for file in kept.iterdir() if not file.name.endswith("-shm")]
    assert any(name.endswith("-wal") for name in names)

    @fuzzed(60)
    @given(st.sampled_from(sorted(names)), DAMAGE)
    def attack(name: str, damage: Damage) -> None:
        folder = tmp_path / "tried"
        shutil.copytree(kept, folder)
        whole = (kept / name).read_bytes()
        (folder / name).write_bytes(damaged(whole, damage))
        try:
            judge(folder / "journal.db", name, damage)
        finally:
            shutil.rmtree(folder)

    with nothing_stays():
        with_seed(attack)
