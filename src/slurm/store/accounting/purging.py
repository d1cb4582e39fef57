"""What is older than a site keeps: written to a file first where it wants that, then removed, so many rows a transaction.

An archive is a file of JSON lines, the first says what it is, each further one is a row; `load` puts them back, as often as one likes.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest, StoreError
from slurm.store.accounting import schema
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.engine import writing
from slurm.store.accounting.storage import Storage
from slurm.store.accounting.upsert import upsert

VERSION = 1
ROWS_AT_ONCE = 5_000
_LIFE = ("job_id", "cluster_id", "restarts", "reused")


class Kind(NamedTuple):
    """One kind of records: its table, the column by which it grows old, the columns of its key."""

    table: sa.Table
    by: str
    key: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "event": Kind(schema.node_events, "time_end", ("cluster_id", "node", "time_start")),
    "job": Kind(schema.jobs, "time_end", _LIFE),
    "resv": Kind(schema.reservations, "time_end", ("cluster_id", "reservation_id", "occurrence", "time_start")),
    "step": Kind(schema.steps, "time_end", (*_LIFE, "step_id")),
    "suspend": Kind(schema.suspensions, "time_end", (*_LIFE, "time_start")),
    "txn": Kind(policy.transactions, "time", ("id",)),
    "usage": Kind(schema.association_usage, "start", ("cluster_id", "period", "start", "association_id", "account", "user_name", "tres")),
    "wckey_usage": Kind(schema.wckey_usage, "start", ("cluster_id", "period", "start", "wckey", "user_name", "tres")),
    "cluster_usage": Kind(schema.cluster_usage, "start", ("cluster_id", "period", "start", "tres")),
}
"""Kinds as Slurm's Purge…After and Archive… name them; PurgeUsageAfter is about the three last."""


_COUNTED = ("event", "job", "suspend")


def _summed(kind: str) -> list[sa.ColumnElement[bool]]:
    """What usage is summed up from stays until it was."""
    if kind not in _COUNTED:
        return []
    columns, rollups = KINDS[kind].table.c, schema.rollups.c
    return [sa.exists().where(rollups.cluster_id == columns.cluster_id, rollups.hours_until > columns[KINDS[kind].by])]


class Purge:
    """Purging of one database. `folder`: ArchiveDir."""

    def __init__(self, engine: sa.Engine, storage: Storage, folder: str) -> None:
        self._engine = engine
        self._storage = storage
        self._folder = folder

    def run(self, kind: str, before: float, *, archive: bool, at_once: int = ROWS_AT_ONCE) -> Iterator[int]:
        """Remove what ended before that moment, `at_once` rows a transaction and an archive: how many each time."""
        table, by, _ = KINDS[kind]
        while True:
            with writing(self._engine, self._storage) as connection:
                found = connection.execute(sa.select(table).where(
                    table.c[by] > 0, table.c[by] < before, *_summed(kind)).order_by(table.c[by]).limit(max(1, at_once))).mappings().all()
                if not found:
                    break
                if archive:
                    self._archive(connection, kind, found)
                self._remove(connection, kind, found)
                if kind in _COUNTED:
                    rollups = schema.rollups.c
                    connection.execute(sa.update(schema.rollups).where(rollups.fixed_until < before).values(fixed_until=before))
            yield len(found)
        if kind == "job":
            yield from self._payloads(before)

    def _archive(self, connection: sa.Connection, kind: str, found: Sequence[sa.RowMapping]) -> None:
        names = _cluster_names(connection)
        by = KINDS[kind].by
        for cluster in sorted({row.get("cluster_id", 0) for row in found}):
            own = [row for row in found if row.get("cluster_id", 0) == cluster]
            name = names.get(cluster, "all")
            path = os.path.join(self._folder, f"{name}_{kind}_archive_{_stamp(own[0][by])}_{_stamp(own[-1][by])}.jsonl")
            _write(path, [{"slurm_py_archive": VERSION, "kind": kind, "cluster": name}, *(
                {column: value for column, value in row.items() if column not in ("id", "cluster_id")} for row in own)])

    def _remove(self, connection: sa.Connection, kind: str, found: Sequence[sa.RowMapping]) -> None:
        table, by, key = KINDS[kind]
        if "id" in table.c:
            connection.execute(sa.delete(table).where(table.c.id.in_([row["id"] for row in found])))
        else:
            connection.execute(sa.delete(table).where(*(table.c[name] == sa.bindparam(f"old_{name}") for name in key)), [
                {f"old_{name}": row[name] for name in key} for row in found])
        if kind == "job":  # what belongs to a job goes with it
            for part in (schema.steps, schema.suspensions):
                connection.execute(sa.delete(part).where(*(part.c[name] == sa.bindparam(f"old_{name}") for name in _LIFE)), [
                    {f"old_{name}": row[name] for name in _LIFE} for row in found])

    def _payloads(self, before: float) -> Iterator[int]:
        """Scripts and environments of which no job tells any more."""
        payloads, jobs = schema.payloads.c, schema.jobs.c
        with writing(self._engine, self._storage) as connection:
            done = connection.execute(sa.delete(schema.payloads).where(
                payloads.arrived < before, payloads.digest.not_in(sa.select(jobs.script)),
                payloads.digest.not_in(sa.select(jobs.environment))))
        if done.rowcount:
            yield done.rowcount

    def load(self, path: str) -> int:
        """Put an archive back; how many rows. InvalidRequest when it is none, or of a cluster that is not known."""
        rows = _read(path)
        head = next(rows, {})
        kind = KINDS.get(str(head.get("kind")))
        if head.get("slurm_py_archive") != VERSION or kind is None:
            raise InvalidRequest(message=f"{path} is no archive of slurm-py", hints=["archives of Slurm itself cannot be loaded"])
        loaded = 0
        with writing(self._engine, self._storage) as connection:
            cluster = {name: number for number, name in _cluster_names(connection).items()}.get(str(head.get("cluster")), 0)
            if not cluster and "cluster_id" in kind.table.c:
                raise InvalidRequest(message=f"cluster {head.get('cluster')} is not known here",
                    hints=["its slurmctld must have registered once"])
            key = tuple(name for name in kind.key if name != "id")
            piece: list[dict[str, Any]] = []
            for row in rows:
                piece.append({**row, "cluster_id": cluster} if "cluster_id" in kind.table.c else row)
                if len(piece) == ROWS_AT_ONCE:
                    loaded += _put(connection, kind.table, key, piece)
                    piece = []
            return loaded + (_put(connection, kind.table, key, piece) if piece else 0)


def _put(connection: sa.Connection, table: sa.Table, key: Sequence[str], piece: list[dict[str, Any]]) -> int:
    if key:
        upsert(connection, table, key, piece)
    else:
        connection.execute(sa.insert(table), piece)
    return len(piece)


def _cluster_names(connection: sa.Connection) -> dict[int, str]:
    return {int(row.id): str(row.name) for row in connection.execute(sa.select(schema.clusters.c.id, schema.clusters.c.name))}


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at))


def _write(path: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """The whole file on disk under its name, or not at all: what it holds is removed from the database next."""
    folder_name = os.path.dirname(path) or "."
    made = ""
    try:
        # A name that nobody can foresee: ArchiveDir may be /tmp, where others could have put a link in its place.
        descriptor, made = tempfile.mkstemp(prefix=f"{os.path.basename(path)}.", suffix=".new", dir=folder_name)
        with open(descriptor, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
            file.flush()
            os.fsync(file.fileno())
        number = 1
        final = path
        while os.path.lexists(final):  # more of the same second
            number += 1
            final = path.replace(".jsonl", f".{number}.jsonl")
        os.rename(made, final)
        made = ""
        folder = os.open(folder_name, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(message=f"cannot write the archive {path}: {error.strerror}",
            hints=["ArchiveDir must exist and be writable for SlurmUser"]) from error
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.unlink(made)


def _read(path: str) -> Iterator[dict[str, Any]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise InvalidRequest(message=f"{path}:{number}: is no JSON: {error}") from error
                if not isinstance(row, dict):
                    raise InvalidRequest(message=f"{path}:{number}: is no row")
                yield row
    except OSError as error:
        raise InvalidRequest(message=f"cannot read {path}: {error.strerror}") from error
