"""What a journal's file is: the format of its tables and the versions of what lies in them. It is looked at before anything is written.

Not here: what the versions mean (`slurm.journal`).
"""

from __future__ import annotations

import json
import os
import sqlite3
from typing import NamedTuple
from urllib.parse import quote

from slurm.model.errors import StoreError
from slurm.store import sqlite_outbox, sqlite_rows
from slurm.store.lease import Term

FORMAT = 2
APPLICATION_ID = 0x534C5059

SCHEMA = f"""
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1);
CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL);
{sqlite_rows.SCHEMA}
CREATE TABLE payloads (digest BLOB PRIMARY KEY, blob BLOB NOT NULL);
{sqlite_outbox.SCHEMA}
INSERT INTO meta VALUES ('format', '{FORMAT}');
COMMIT;
"""
FROM_1 = [
    "ALTER TABLE events ADD COLUMN version INTEGER NOT NULL DEFAULT 1", *filter(str.strip, sqlite_rows.SCHEMA.split(";")),
    f"UPDATE meta SET value = '{FORMAT}' WHERE key = 'format'"]
"""Format 1 had no versions, and snapshots of one piece."""
SHAPES_KEY = "shapes-"
"""In meta: version → the shapes of its records."""
TERM_KEY = "term"
"""In meta: the term in which the file was last written."""


class Facts(NamedTuple):
    """What a file says of itself."""

    format: int = FORMAT
    shapes: dict[int, str] = {}  # noqa: RUF012
    term: Term | None = None


def look(path: str, version: int, shapes: str) -> Facts:
    """What the file is; StoreError when it is no journal, or written by a program that knows more than records of `version` with `shapes`.

    The file and its log are left as they are.
    """
    if not os.path.exists(path) or not os.path.getsize(path):
        return Facts()
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return Facts()
            raise StoreError(message=f"{path} is no journal of slurm-py", hints=["move it away, or set another StateSaveLocation"])
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    finally:
        connection.close()
    format_text = str(meta.get("format"))
    if not format_text.isdigit():
        raise StoreError(message=f"{path} is damaged: it does not say its format", hints=[sqlite_rows.RESTORE])
    if int(format_text) > FORMAT:
        raise _newer(path, f"it has format {format_text}, this one reads up to {FORMAT}")
    known = {int(key.removeprefix(SHAPES_KEY)): str(value) for key, value in meta.items() if key.startswith(SHAPES_KEY)}
    if max(known, default=0) > version:
        raise _newer(path, f"its records have version {max(known)}, this one reads up to {version}")
    if known.get(version, shapes) != shapes:
        raise StoreError(
            message=f"{path} was written by another slurm-py, whose records of version {version} have other fields than this one's",
            hints=["start the one that wrote it, or set another StateSaveLocation"])
    return Facts(int(format_text), known, Term(*json.loads(meta[TERM_KEY])) if TERM_KEY in meta else None)


def _newer(path: str, why: str) -> StoreError:
    return StoreError(
        message=f"{path} was written by a newer slurm-py: {why}",
        hints=["install that version again, or start with another StateSaveLocation"])
