"""Tables of what happened: clusters, their journals, jobs, steps, suspensions, node events, usage.

A record is kept whole as JSON (column `record`), so that a new field of it needs no migration; what is filtered, joined, sorted or summed
by has a column of its own beside it. Times are seconds since the epoch as doubles, 0: not yet. Not here: accounts, users, QOS
(`schema_policy`).
"""

from __future__ import annotations

import sqlalchemy as sa

HEAD = 4
"""The version of the schema that these tables are; `migrations` has one file for each step."""

NEVER = 1e12
"""`time_over` of what has not ended: one range of an index finds what was going on at a time."""

metadata = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only an INTEGER counts by itself in SQLite
LONG = sa.Text().with_variant(sa.Text(2**32 - 1), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(sa.LargeBinary(2**32 - 1), "mysql", "mariadb")
NAME = sa.String(255)
"""What a name that is looked for by an index may hold; `taking` cuts longer ones."""


_REWRITTEN = frozenset({"jobs", "steps", "journals", "clusters"})
"""Rows of these come again soon after they came first: PostgreSQL finds room for the new one beside the old, and leaves the indices
alone."""


def table(name: str, *parts: sa.Column[object] | sa.schema.SchemaItem) -> sa.Table:
    """A table of this schema: names are told apart by case everywhere, and a number that counts up is never given twice."""
    made = sa.Table(
        name, metadata, *parts, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin", mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4", mariadb_collate="utf8mb4_bin", sqlite_autoincrement=any(part.name == "id" for part in parts
        if isinstance(part, sa.Column)))
    # SQLAlchemy before 2.1, which others' programs in the same environment may ask for, has no word for it in a table
    if name in _REWRITTEN:
        sa.event.listen(made, "after_create", _leave_room)
    return made


def _leave_room(made: sa.Table, connection: sa.Connection, **_: object) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {made.name} SET (fillfactor = 70)")


def _number(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=str(default))


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False, server_default="0")


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, NAME, nullable=False, server_default="")


def _long(name: str) -> sa.Column[str]:
    return sa.Column(name, LONG, nullable=False)


clusters = table(
    "clusters",
    sa.Column("id", BIG, primary_key=True), _name("name"), _name("time_zone"), _name("control_host"), _number("control_port"),
    _number("rpc_version"), _name("version"), _name("flags"), _number("embedded"), _number("deleted"), _time("registered"),
    _number("highest_job"), _time("complete_until"),
    sa.UniqueConstraint("name"))

journals = table(
    "journals",
    sa.Column("cluster_id", sa.BigInteger, primary_key=True), sa.Column("journal", sa.String(64), primary_key=True),
    _number("last_sequence"))

jobs = table(
    "jobs",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _number("job_id"), _number("restarts"),
    _number("reused"),  # 0, or the own id: another job has got this job's number since
    _number("latest", 1),  # 1 for the last life of the last job of this number
    sa.Column("set_id", sa.BigInteger), sa.Column("array_task", sa.BigInteger), _number("tasks", 1),
    _number("uid"), _number("gid"), _name("user_name"), _name("account"), _number("association_id"), _name("qos"), _name("wckey"),
    _name("partition"), _name("reservation"), _number("state"), _name("flags"), _number("node_count"), _number("cpus"),
    _number("time_limit", -1),
    _time("time_submit"), _time("time_eligible"), _time("time_start"), _time("time_end"), sa.Column("time_over", sa.Double, nullable=False),
    sa.Column("script", sa.String(64), nullable=False, server_default=""), sa.Column("environment", sa.String(64), nullable=False,
    server_default=""),
    _long("job_name"), _long("reason"), _long("constraints"), _long("nodes"), _long("allocated"), _long("record"),
    sa.UniqueConstraint("job_id", "cluster_id", "restarts", "reused"),
    sa.Index(None, "set_id"), sa.Index(None, "user_name", "time_over"), sa.Index(None, "uid", "time_over"),
    sa.Index(None, "account", "time_over"),
    sa.Index(None, "time_over", "time_submit"))

steps = table(
    "steps",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _number("job_id"), _number("restarts"), _number("reused"),
    _number("step_id"),
    _number("state"), _time("time_start"), _time("time_end"), _long("record"),
    sa.UniqueConstraint("job_id", "cluster_id", "restarts", "reused", "step_id"), sa.Index(None, "time_end"))

suspensions = table(
    "suspensions",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _number("job_id"), _number("restarts"), _number("reused"),
    _time("time_start"),
    _time("time_end"), sa.Column("time_over", sa.Double, nullable=False),
    sa.UniqueConstraint("job_id", "cluster_id", "restarts", "reused", "time_start"), sa.Index(None, "time_over"))

node_events = table(
    "node_events",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _name("node"), _time("time_start"), _time("time_end"),
    sa.Column("time_over", sa.Double, nullable=False), _name("state"), _long("record"),
    sa.UniqueConstraint("cluster_id", "node", "time_start"), sa.Index(None, "time_over"))

cluster_events = table(
    "cluster_events",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _time("time_start"), _long("nodes"), _long("tres"),
    sa.UniqueConstraint("cluster_id", "time_start"))

reservations = table(
    "reservations",
    sa.Column("id", BIG, primary_key=True), _number("cluster_id"), _number("reservation_id"), _time("occurrence"), _time("time_start"),
    _time("time_end"), _name("name"), _long("record"),
    sa.UniqueConstraint("cluster_id", "reservation_id", "occurrence", "time_start"), sa.Index(None, "time_end"))
"""Stretches of time in which a reservation was the same; `occurrence` is when it began, or was to begin, as it was then."""

payloads = table(
    "payloads",
    sa.Column("digest", sa.String(64), primary_key=True), sa.Column("what", sa.String(16), nullable=False), _time("arrived"),
    sa.Column("content", BYTES, nullable=False))

tres = table(
    "tres", sa.Column("id", BIG, primary_key=True, autoincrement=False), sa.Column("type", sa.String(64), nullable=False), _name("name"),
    sa.UniqueConstraint("type", "name"))

rollups = table(
    "rollups",
    sa.Column("cluster_id", sa.BigInteger, primary_key=True), _time("hours_until"), _time("days_until"), _time("months_until"),
    _time("fixed_until"))  # records of before were purged: hours of before are not summed up again

dirty_hours = table(
    "dirty_hours", sa.Column("cluster_id", sa.BigInteger, primary_key=True), sa.Column("start", sa.BigInteger, primary_key=True))

association_usage = table(
    "association_usage",
    sa.Column("cluster_id", sa.BigInteger, primary_key=True), sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True), sa.Column("association_id", sa.BigInteger, primary_key=True),
    sa.Column("account", NAME, primary_key=True), sa.Column("user_name", NAME, primary_key=True),
    sa.Column("tres", sa.String(128), primary_key=True),
    _number("seconds"))

wckey_usage = table(
    "wckey_usage",
    sa.Column("cluster_id", sa.BigInteger, primary_key=True), sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True), sa.Column("wckey", NAME, primary_key=True),
    sa.Column("user_name", NAME, primary_key=True), sa.Column("tres", sa.String(128), primary_key=True), _number("seconds"))

cluster_usage = table(
    "cluster_usage",
    sa.Column("cluster_id", sa.BigInteger, primary_key=True), sa.Column("period", sa.String(8), primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True), sa.Column("tres", sa.String(128), primary_key=True),
    _number("total"), _number("allocated"), _number("down"), _number("planned_down"), _number("idle"), _number("planned"))
