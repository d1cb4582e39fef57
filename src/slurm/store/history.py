"""The history of a cluster: what the journal gives up is kept here for a while, so that any moment of it can be folded again.

It lies beside the journal, in files of some hours or days each. Such a segment begins with the rows of a snapshot and goes on with the
events after it, taken over from the journal at each snapshot, before the journal drops them. Losing it loses no state. Not here: what rows
and events mean (`journal`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from slurm.journal.row import Row
from slurm.model.errors import InvalidRequest, StoreError
from slurm.notation import moment
from slurm.store.history_sources import Source, SqliteSource, opened, read_events
from slurm.store.journal import Entry
from slurm.store.sqlite_errors import reading, writing

log = logging.getLogger("slurm.store")
FOLDER = "history"
EVENTS_A_SEGMENT = 50_000
"""A segment is followed by another one once it has so many events, and they take as much room as its rows."""
LEAST_FREE = 256 << 20
"""Bytes of the disk that are left to the journal: with fewer free the history gives way."""
SECONDS_A_SEGMENT = 86400.0
"""… or once it is so old."""

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE shapes (version INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE rows (kind TEXT NOT NULL, key NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE events (seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, version INTEGER NOT NULL);
"""


class Segment(NamedTuple):
    """One file: of which journal (`id`), its rows as after event `base`, at `began` (seconds since the epoch); up to event `last`."""

    path: str
    id: str
    base: int
    began: float
    last: int


class Stretch(NamedTuple):
    """What a moment is folded from: rows, then events in order, and what each version of them looks like."""

    rows: list[Row]
    events: Iterator[tuple[float, Entry]]
    shapes: dict[int, str]


class History:
    """The history in the folder of `path`, of the journal there or of another `source`; kept for `seconds`, and `most` bytes of it at
    most."""

    def __init__(self, path: str, *, seconds: float, most: int, segment_events: int = EVENTS_A_SEGMENT, least_free: int = LEAST_FREE,
                 source: Source | None = None) -> None:
        self.path = path
        self.source = source if source is not None else SqliteSource(path)
        self.folder = os.path.join(os.path.dirname(path), FOLDER)
        self._seconds = seconds
        self._most = most
        self._segment_events = segment_events
        self._least_free = least_free

    # --- writing -----------------------------------------------------------------------------------------------------------

    def record(self, now: float) -> None:
        """Take over what the journal has up to its newest snapshot, and drop what is kept long enough. StoreError.

        To be called before the journal gives anything up, by the one thread that does.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._make_room()
        known, number, seq, first = self.source.newest()
        if not number:
            return
        newest = next((one for one in reversed(self.segments()) if one.id == known), None)
        if newest is None or not first - 1 <= newest.last <= seq:
            newest = self._begin(known, 0 if first == 1 else number, 0 if first == 1 else seq, now)
        self._take(newest, seq)
        if self._is_full(newest, now):
            self._begin(known, number, seq, now)
        self.prune(now)

    def _make_room(self) -> None:
        """The journal needs the disk more: the oldest goes, and nothing is added, while little is free. StoreError."""
        kept = self.segments()
        while self._free() < self._least_free:
            if not kept:
                raise StoreError(message=f"less than {self._least_free >> 20} MB are free for {self.folder}",
                    hints=["the journal needs them"])
            os.unlink(kept.pop(0).path)

    def _free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def _begin(self, id: str, number: int, base: int, now: float) -> Segment:
        """A segment with the rows of the journal's snapshot of this number, none where it is 0."""
        path = os.path.join(self.folder, f"{id[:8]}-{base:020d}.db")
        for suffix in ("", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(f"{path}.new{suffix}")
        os.close(os.open(f"{path}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(opened(f"{path}.new", writing_to=True)) as segment:
            with reading(path):
                segment.executescript(_SCHEMA)
            began = self.source.begin(segment, f"{path}.new", number, max(base, 1))
            with writing(path, segment):
                segment.executemany("INSERT INTO about VALUES (?, ?)", {
                    "id": id, "base": base, "began": began if began is not None else now}.items())
        os.replace(f"{path}.new", path)
        log.debug("history: %s begins after event %d", path, base)
        return _segment(path)

    def _take(self, segment: Segment, seq: int) -> None:
        with closing(opened(segment.path, writing_to=True)) as kept:
            self.source.take(kept, segment.path, segment.last, seq)

    def _is_full(self, segment: Segment, now: float) -> bool:
        if now - segment.began > SECONDS_A_SEGMENT:
            return _segment(segment.path).last > segment.base
        with closing(opened(segment.path)) as kept, reading(segment.path):
            events, size, rows = kept.execute("SELECT (SELECT count(*) FROM events), (SELECT total(length(body)) FROM events), "
                                              "(SELECT total(length(body)) FROM rows)").fetchone()
        return bool(events >= self._segment_events and size >= rows)

    def prune(self, now: float) -> None:
        """Drop segments that ended longer ago than they are to be kept, and the oldest ones while there is too much of them."""
        kept = self.segments()
        total = sum(os.path.getsize(one.path) for one in kept)
        while len(kept) > 1 and (kept[1].began < now - self._seconds or total > self._most):
            gone = kept.pop(0)
            total -= os.path.getsize(gone.path)
            os.unlink(gone.path)
            log.debug("history: %s is dropped", gone.path)

    # --- reading -----------------------------------------------------------------------------------------------------------

    def segments(self) -> list[Segment]:
        """What there is, the oldest first; a file that is none is passed over with a line in the log."""
        found = []
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                if name.endswith(".db"):
                    try:
                        found.append(_segment(os.path.join(self.folder, name)))
                    except StoreError as error:
                        log.error("history: %s", "; ".join(error.lines()))
        return sorted(found, key=lambda one: (one.began, one.base))

    def stretch(self, at: float) -> Stretch:
        """What to fold for the state at a moment: nothing that happened later.

        InvalidRequest when that is not kept, StoreError for damage.
        """
        # The journal first: what it gives up meanwhile is in the segments by then.
        known, shapes, late = self.source.late()
        first = (late[0][1].seq, late[0][0]) if late else None
        kept = self.segments()
        segment = next((one for one in reversed(kept) if one.began <= at), None)
        if segment is None:
            starts = [one.began for one in kept] or ([first[1]] if first is not None and first[0] == 1 else [])
            if kept or not starts or at < starts[0]:
                raise _not_kept(at, f"what happened is kept from {moment.show(starts[0])} on" if starts
                    else "nothing of the past is kept yet")
            return Stretch([], _until(at, 0, late), shapes)
        with closing(opened(segment.path)) as past, reading(segment.path):
            shapes = dict(past.execute("SELECT version, text FROM shapes")) | shapes
            rows = [Row(*row) for row in past.execute("SELECT kind, key, version, body FROM rows")]
            events = read_events(past)
        if segment.id == known:
            last = events[-1][1].seq if events else segment.base
            events += [pair for pair in late if pair[1].seq > last]
        return Stretch(rows, _until(at, segment.base, events), shapes)


def _until(at: float, before: int, events: list[tuple[float, Entry]]) -> Iterator[tuple[float, Entry]]:
    """The events after number `before` up to a moment; InvalidRequest where one is missing."""
    for happened, entry in events:
        if happened > at:
            return
        if entry.seq != before + 1:
            raise _not_kept(at, f"events {before + 1} to {entry.seq - 1} before it were not taken into the history (was its disk full?)")
        before = entry.seq
        yield happened, entry


def _not_kept(at: float, why: str) -> InvalidRequest:
    return InvalidRequest(message=f"{moment.show(at)} is no moment that is kept", hints=[
        why, "history_time and history_size in SlurmctldParameters say how long it is kept"])


def _segment(path: str) -> Segment:
    with closing(opened(path)) as kept, reading(path):
        about = dict(kept.execute("SELECT key, value FROM about"))
        last = kept.execute("SELECT max(seq) FROM events").fetchone()[0]
    if not {"id", "base", "began"} <= about.keys():
        raise StoreError(message=f"{path} is no part of a history")
    return Segment(path, str(about["id"]), int(about["base"]), float(about["began"]), int(last or about["base"]))
