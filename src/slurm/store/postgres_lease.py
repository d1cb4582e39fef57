"""The lease in PostgreSQL: one row, which a claim changes by compare-and-set and every write holds; and a count of beats beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import psycopg

from slurm.model.errors import StoreError
from slurm.store.journal import StoreBusy
from slurm.store.lease import Term, deposed, overtaken
from slurm.store.postgres_link import Link, Session

log = logging.getLogger("slurm.store")
CLAIM_TRIES = 5
_READ = "SELECT epoch, holder, address, count, released FROM leader, beats"
_CLAIM = ("UPDATE leader SET epoch = greatest(%(epoch)s, (SELECT events.epoch + 1 FROM events ORDER BY seq DESC LIMIT 1)), "
          "holder = %(holder)s, address = %(address)s, released = false WHERE epoch = %(seen)s "
          "RETURNING epoch")
_BEAT = "UPDATE beats SET count = count + 1 WHERE EXISTS (SELECT 1 FROM leader WHERE epoch = %s AND NOT released)"
_RELEASE = "UPDATE leader SET released = true WHERE epoch = %s AND NOT released RETURNING epoch"
_END_HOLDERS = ("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = 'leader'::regclass "
                "AND mode = 'RowShareLock' AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()")


class PostgresLease:
    """Who leads in the database that `link` reaches."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def read(self) -> Term | None:
        """The newest term; None before the first."""
        with self._link.using() as session:
            return _read(session)

    def claim(self, holder: str, address: str, seen: int, *, least: int = 0) -> Term:
        """Take the lead. It waits for what the one before is writing just then, for a second, then ends that one's sessions."""
        term = Term(max(seen, least) + 1, holder, address)
        for _ in range(CLAIM_TRIES):
            with self._link.using() as session:
                epoch = _claimed(session, term, seen)
                if epoch is not None:
                    self._link.confirm()
                    return term._replace(epoch=epoch)
        raise StoreBusy(message="the lead cannot be taken: the sessions of the slurmctld before do not end")

    def beat(self, term: Term) -> None:
        """One beat more; it waits for no disk, as nothing rests on it."""
        with self._link.using() as session, session.transaction():
            session.execute("SET LOCAL synchronous_commit = off")
            if not session.execute(_BEAT, (term.epoch,)).rowcount:
                raise deposed(term, _read(session))

    def release(self, term: Term) -> None:
        """Hand over."""
        with self._link.using() as session:
            if not session.execute(_RELEASE, (term.epoch,)).fetchone():
                raise deposed(term, _read(session))
            self._link.confirm()

    def close(self) -> None:
        """Let go of the session; the term stays."""
        self._link.close()


def _read(session: Session) -> Term | None:
    row: Sequence[object] | None = session.execute(_READ).fetchone()
    if row is None:
        raise StoreError(message=f"database {session.info.dbname}: the table leader or beats has lost its row", hints=[
            "somebody else has written there. For beats: INSERT INTO beats (count) VALUES (0). For leader, no slurmctld running: "
            "INSERT INTO leader (epoch, holder, address, released) SELECT max(epoch), '', '', true FROM events"])
    if not row[0]:
        return None
    return Term(*row)  # type: ignore[arg-type]


def _claimed(session: Session, term: Term, seen: int) -> int | None:
    """The epoch of the term, which is the present one now. None: somebody held the row, and his session was ended. Overtaken."""
    try:
        with session.transaction():
            session.execute("SET LOCAL lock_timeout = '1s'")
            row = session.execute(
                _CLAIM, {"epoch": term.epoch, "holder": term.holder, "address": term.address, "seen": seen}).fetchone()
            if row is None:
                raise overtaken(seen, _read(session))
            session.execute("UPDATE beats SET count = 0")
            return int(row[0])
    except psycopg.errors.LockNotAvailable:
        ended = session.execute(_END_HOLDERS).fetchall()
        log.warning("the slurmctld before does not end what it writes: %d sessions of it were ended", len(ended))
        return None
