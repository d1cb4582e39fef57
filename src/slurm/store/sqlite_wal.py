"""Whether the write-ahead log that a killed controller left is whole.

SQLite takes the first frame with a wrong checksum for the end of the log, which is right for a write that was cut short and wrong for a
damaged byte: acknowledged events behind it would vanish without a word. Two things tell the one from the other. Each transaction here is
synced before the next one begins, so two transactions that end behind the first bad frame prove that the frame was once whole. And the
index beside the log (-shm), which a killed controller leaves too, counts frames only when they are on disk: a log with fewer, or with
another beginning, has lost some. After the machine itself stopped the index may be older than the log, never newer. (File format:
sqlite.org/walformat.html.)
"""

from __future__ import annotations

import os
import sqlite3
import struct
from urllib.parse import quote

from slurm.model.errors import StoreError

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint number, salt 1, salt 2, checksums
_FRAME = struct.Struct(">6I")  # page, pages in the file after a commit or 0, salt 1, salt 2, checksums
_INDEX_FRAMES = struct.Struct("=I")  # mxFrame, at byte 16 of the wal-index
_INDEX_OFFSET = 16
_INDEX_HEAD = 48
"""Bytes of the index's header, of which there are two copies; the salts lie at 32, and behind both how many frames are in the database
already."""
_BACKFILLED_OFFSET = 96


def check_wal(path: str) -> None:
    """StoreError when SQLite would drop acknowledged transactions of the log beside `path`; the log is left as it is."""
    if not os.path.exists(path):
        return
    counted = _counted(path)
    commits = _commits(path + "-wal")
    if not commits:
        if counted:
            raise _damaged(path, f"has no frame of the {counted:,} that were written", 1)
        return
    if not os.path.getsize(path):  # SQLite makes its first page before the first log, and drops a log that has no file
        raise _damaged(path, "belongs to a file that is empty", len(commits))
    # A read-only connection recovers the log into the index, but neither copies it into the file nor removes it when it closes.
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with open(path + "-shm", "rb") as index:
            index.seek(_INDEX_OFFSET)
            (valid,) = _INDEX_FRAMES.unpack(index.read(_INDEX_FRAMES.size))
    finally:
        connection.close()
    lost = [number for number in commits if number > valid]
    if len(lost) > 1 or counted > valid:
        raise _damaged(path, f"is damaged behind frame {valid}", max(1, len(lost) - 1))


def _damaged(path: str, how: str, writes: int) -> StoreError:
    return StoreError(message=f"{path}-wal {how}: at least {writes} acknowledged writes cannot be read", hints=[
        "restore the StateSaveLocation from a backup, or move the file away to start with an empty cluster"])


def _counted(path: str) -> int:
    """How many frames the index beside the log counts that are nowhere but in the log; 0 when there is no index that is whole."""
    try:
        with open(path + "-shm", "rb") as index:
            head = index.read(_INDEX_HEAD)
            copy = index.read(_INDEX_HEAD)
            index.seek(_BACKFILLED_OFFSET)
            backfilled = index.read(_INDEX_FRAMES.size)
    except FileNotFoundError:
        return 0
    if head != copy or len(head) < _INDEX_HEAD or len(backfilled) < _INDEX_FRAMES.size:
        return 0
    (frames,) = _INDEX_FRAMES.unpack_from(head, _INDEX_OFFSET)
    return 0 if _INDEX_FRAMES.unpack(backfilled)[0] >= frames else int(frames)


def _commits(path: str) -> list[int]:
    """The numbers of the frames that say they end a transaction; none when there is no log."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as log:
        head = log.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return []
        _, _, page_size, _, salt1, salt2, _, _ = _HEADER.unpack(head)
        stride = _FRAME.size + page_size
        commits = []
        for number in range(1, (os.fstat(log.fileno()).st_size - _HEADER.size) // stride + 1):
            log.seek(_HEADER.size + (number - 1) * stride)
            _, pages, *salts, _, _ = _FRAME.unpack(log.read(_FRAME.size))
            if pages and salts == [salt1, salt2]:
                commits.append(number)
        return commits
