"""Tables of who may use what: accounts, users, associations, coordinators, QOS, wckeys, resources, and who changed what.

Removal is soft: `deleted` is 0, or the own id, so that a name may come again beside the row that had it; ids are never given twice. `qos`
of an association is a JSON list of names, "" where nothing is set; `limits` is JSON as `model.policy.Limits`.
"""

from __future__ import annotations

import sqlalchemy as sa

from slurm.store.accounting.schema import BIG, LONG, NAME, table


def _stamps() -> tuple[sa.Column[int], sa.Column[float], sa.Column[float]]:
    return (
        sa.Column("deleted", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created", sa.Double, nullable=False, server_default="0"),
        sa.Column("modified", sa.Double, nullable=False, server_default="0"))


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, NAME, nullable=False, server_default="")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, LONG, nullable=False)


accounts = table(
    "accounts", sa.Column("id", BIG, primary_key=True), _name("name"), _text("description"), _text("organization"), _name("flags"),
    *_stamps(),
    sa.UniqueConstraint("name", "deleted"))

users = table(
    "users", sa.Column("id", BIG, primary_key=True), _name("name"), sa.Column("admin_level", sa.String(16), nullable=False,
    server_default="None"),
    _name("default_wckey"), *_stamps(), sa.UniqueConstraint("name", "deleted"))

associations = table(
    "associations",
    sa.Column("id", BIG, primary_key=True), sa.Column("cluster_id", sa.BigInteger, nullable=False), _name("account"), _name("user_name"),
    _name("partition"), sa.Column("parent_id", sa.BigInteger, nullable=False, server_default="0"), _text("lineage"),
    sa.Column("is_default", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("shares", sa.BigInteger, nullable=False, server_default="1"),
    _text("qos"), _name("default_qos"), _text("limits"), _text("comment"), _name("flags"), *_stamps(),
    sa.Column("priority", sa.BigInteger), sa.Index(None, "cluster_id", "account"), sa.Index(None, "cluster_id", "user_name"))

coordinators = table(
    "coordinators", sa.Column("account", NAME, primary_key=True), sa.Column("user_name", NAME, primary_key=True))

qos = table(
    "qos", sa.Column("id", BIG, primary_key=True), _name("name"), _text("description"),
    sa.Column("priority", sa.BigInteger, nullable=False, server_default="0"), _name("flags"), _text("preempt"), _name("preempt_mode"),
    _text("limits"),
    *_stamps(), sa.Column("grace_time", sa.BigInteger, nullable=False, server_default="0"), sa.Column("preempt_exempt_time", sa.BigInteger),
    sa.Column("usage_factor", sa.Double, nullable=False, server_default="1"), sa.Column("usage_threshold", sa.Double),
    sa.Column("limit_factor", sa.Double), sa.UniqueConstraint("name", "deleted"))

wckeys = table(
    "wckeys", sa.Column("id", BIG, primary_key=True), sa.Column("cluster_id", sa.BigInteger, nullable=False), _name("name"),
    _name("user_name"),
    sa.Column("is_default", sa.SmallInteger, nullable=False, server_default="0"), *_stamps(), sa.Index(None, "cluster_id", "user_name"))

resources = table(
    "resources", sa.Column("id", BIG, primary_key=True), _name("name"), _name("server"), _name("type"),
    sa.Column("count", sa.BigInteger, nullable=False, server_default="0"), _text("description"), _name("server_type"), _name("flags"),
    sa.Column("last_consumed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_update", sa.Double, nullable=False, server_default="0"),
    *_stamps(), sa.UniqueConstraint("name", "server", "deleted"))

resource_clusters = table(
    "resource_clusters", sa.Column("resource_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("cluster_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("allowed", sa.BigInteger, nullable=False, server_default="0"))

transactions = table(
    "transactions", sa.Column("id", BIG, primary_key=True), sa.Column("time", sa.Double, nullable=False), _name("actor"), _name("action"),
    _name("cluster"), _text("target"), _text("info"), sa.Index(None, "time"))
