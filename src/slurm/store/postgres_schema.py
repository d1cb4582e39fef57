"""The tables of the journal in PostgreSQL, made by who opens an empty database, and what a database says of itself.

`slurm_leads` is the fence: each transaction that writes calls it first, and holds the leader's row until its end. Who claims the lead
changes that row, so a claim waits for what is being written, and what comes after it is refused.
"""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

from slurm.model.errors import StoreError
from slurm.store.postgres_link import NOT_LEADING, Session

FORMAT = 1
SCHEMA = f"""
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE leader (one boolean PRIMARY KEY DEFAULT true CHECK (one), epoch bigint NOT NULL, holder text NOT NULL, address text NOT NULL,
  released boolean NOT NULL);
CREATE TABLE beats (one boolean PRIMARY KEY DEFAULT true CHECK (one), count bigint NOT NULL);
CREATE TABLE events (seq bigint PRIMARY KEY, at double precision NOT NULL, kind text NOT NULL, body bytea NOT NULL, crc bigint NOT NULL,
  version integer NOT NULL, epoch bigint NOT NULL);
CREATE TABLE rows (kind text NOT NULL, key text NOT NULL, number bigint NOT NULL, version integer NOT NULL, body bytea, crc bigint NOT NULL,
  PRIMARY KEY (kind, key, number));
CREATE TABLE complete (number bigint PRIMARY KEY, seq bigint NOT NULL, count bigint NOT NULL);
CREATE TABLE payloads (digest bytea PRIMARY KEY, blob bytea NOT NULL);
CREATE TABLE outbox (sequence bigint PRIMARY KEY, body bytea NOT NULL, crc bigint NOT NULL);
CREATE TABLE notices (number bigint PRIMARY KEY, destination text NOT NULL, key text NOT NULL UNIQUE, body bytea NOT NULL,
  crc bigint NOT NULL);
CREATE TABLE files (name text PRIMARY KEY, body bytea NOT NULL);
CREATE FUNCTION slurm_leads(mine bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM leader WHERE epoch = mine AND NOT released FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '{NOT_LEADING}', MESSAGE = format('its epoch was %s, %s', mine,
      COALESCE((SELECT format('%s leads since epoch %s', holder, epoch) FROM leader WHERE epoch <> mine), 'and it has handed over'));
  END IF;
END $$;
INSERT INTO leader (epoch, holder, address, released) VALUES (0, '', '', true);
INSERT INTO beats (count) VALUES (0);
INSERT INTO meta VALUES ('format', '{FORMAT}'), ('id', 'ID'), ('cluster', 'CLUSTER'), ('outbox last', '0'), ('notices last', '0');
"""
SHAPES_KEY = "shapes-"
HALF = "half of a copy"
"""In meta, while a state is being copied here: what ended in between is no state."""
RESTORE = "restore the database from a backup, or name an empty one to start with an empty cluster"
MAKING = 0x534C5059
"""The advisory lock of who makes the tables."""


class Facts(NamedTuple):
    """What a database says of itself."""

    id: str
    cluster: str
    shapes: dict[int, str]


def prepare(session: Session, cluster: str) -> None:
    """Make the tables in an empty database. StoreError for one that holds something else."""
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
        if _has_journal(session):
            return
        row = session.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        if row is not None and row[0]:
            raise StoreError(message=f"database {session.info.dbname} holds {row[0]} tables and no state of slurm-py",
                             hints=["make a database of its own: createdb slurm"])
        session.execute(SCHEMA.replace("'ID'", f"'{uuid.uuid4().hex}'").replace("'CLUSTER'", _quoted(cluster)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _has_journal(session: Session) -> bool:
    row = session.execute("SELECT to_regclass('public.leader') IS NOT NULL AND to_regclass('public.events') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def look(session: Session, cluster: str, version: int, shapes: str) -> Facts:
    """What the database is; StoreError when it holds another cluster's state, or records that only a later slurm-py reads."""
    where = f"database {session.info.dbname}"
    meta: dict[str, str] = dict(session.execute("SELECT key, value FROM meta").fetchall())
    if number("format", meta.get("format", "0")) > FORMAT:
        raise _newer(where, f"it has format {meta['format']}, this one reads up to {FORMAT}")
    if not meta.get("id") or "cluster" not in meta:
        raise StoreError(message=f"{where}: its table meta lacks the id or the cluster", hints=[RESTORE])
    if HALF in meta:
        raise StoreError(message=f"{where} holds half of a copy, which did not end", hints=[
            f"make it anew (dropdb {session.info.dbname}, createdb {session.info.dbname}), and copy again"])
    known = {number(key, key.removeprefix(SHAPES_KEY)): value for key, value in meta.items() if key.startswith(SHAPES_KEY)}
    if max(known, default=0) > version:
        raise _newer(where, f"its records have version {max(known)}, this one reads up to {version}")
    if known.get(version, shapes) != shapes:
        raise StoreError(message=f"{where} was written by another slurm-py, whose records of version {version} have other fields than "
                                 "this one's", hints=["start the one that wrote it, or set another StateSaveLocation"])
    if cluster and meta["cluster"] and meta["cluster"] != cluster:
        raise StoreError(message=f"{where} holds the state of cluster {meta['cluster']}, but ClusterName is {cluster}",
                         hints=[f"set ClusterName={meta['cluster']}, or another StateSaveLocation for {cluster}"])
    return Facts(meta["id"], meta["cluster"], known)


def _newer(where: str, why: str) -> StoreError:
    return StoreError(message=f"{where} was written by a newer slurm-py: {why}",
                      hints=["install that version again, or start with another StateSaveLocation"])


def key_text(key: int | str) -> str:
    """A row's key as it is kept."""
    return json.dumps(key)


def key_of(text: str) -> int | str:
    """And back; StoreError."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, int | str):
        raise StoreError(message=f"a row of the snapshot has the key {text[:40]!r}, which is none", hints=[RESTORE])
    return found


def number(key: str, text: str) -> int:
    """The number that meta has under a key; StoreError."""
    try:
        return int(text)
    except ValueError as error:
        raise StoreError(message=f"the table meta has {text[:40]!r} under {key}, which is no number", hints=[RESTORE]) from error
