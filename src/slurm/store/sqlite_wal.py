"""Whether the write-ahead log that a killed controller left is whole.

SQLite takes the first frame with a wrong checksum for the end of the log, which is right for a write that was cut short and wrong for a
damaged byte: acknowledged events behind it would vanish without a word. Each transaction here is synced before the next one begins, so two
transactions that end behind the first bad frame prove that the frame was once whole. (File format: sqlite.org/walformat.html.)
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


def check_wal(path: str) -> None:
    """StoreError when SQLite would drop acknowledged transactions of the log beside `path`; the log is left as it is."""
    commits = _commits(path + "-wal")
    if not commits or not os.path.exists(path):
        return
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
    if len(lost) > 1:
        raise StoreError(
            message=f"{path}-wal is damaged behind frame {valid}: at least {len(lost) - 1} acknowledged writes cannot be read",
            hints=["restore the StateSaveLocation from a backup, or move the file away to start with an empty cluster"])


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
