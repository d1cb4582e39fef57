"""Keeps a journal of the present version: python -m tests.upgrade.keep writes vN.db.xz and, beside it, what its state is in words.

To be run once for each version, by the commit that begins it. What is kept then is never written again.
"""

from __future__ import annotations

import lzma
import sys
import tempfile
from pathlib import Path

from slurm.journal import codec, rows
from slurm.journal.shapes import TEXT, VERSION
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal
from tests.upgrade import history

HERE = Path(__file__).parent


def write(path: Path) -> str:
    """Write the journal; its state in words."""
    cluster = history.Recorded(codec.encode)
    journal = SqliteJournal(str(path), cluster="kept", version=VERSION, shapes=TEXT)
    history.begin(cluster)
    journal.append([Record(*written) for written in cluster.written], [history.SCRIPT, history.ENVIRONMENT])
    journal.keep(list(rows.unsaved(cluster)))
    journal.complete(journal.last_seq, [rows.own(cluster)], rows.count(cluster))
    cluster.written.clear()
    history.go_on(cluster)
    journal.append([Record(*written) for written in cluster.written])
    journal.close()
    return history.described(cluster)


def main() -> int:
    """Keep it, unless one of this version is kept already."""
    kept = HERE / f"v{VERSION}.db.xz"
    if kept.exists():
        print(f"{kept.name} is kept already: raise VERSION in journal/shapes.py when records have changed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        words = write(Path(folder) / "journal.db")
        kept.write_bytes(lzma.compress((Path(folder) / "journal.db").read_bytes()))
    (HERE / f"v{VERSION}.txt").write_text(words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
