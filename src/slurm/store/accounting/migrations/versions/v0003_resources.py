"""Resources: licences that a server outside keeps, and what of them each cluster may use."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = sa.String(255)
_LONG = sa.Text().with_variant(sa.Text(2**32 - 1), "mysql", "mariadb")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AS: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in (
    ("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))}


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False, server_default="0")


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, _NAME, nullable=False, server_default="")


def upgrade() -> None:
    """Add the tables; nothing is in them."""
    op.create_table(
        "resources", sa.Column("id", _ID, nullable=False), _name("name"), _name("server"), _name("type"), _number("count"),
        sa.Column("description", _LONG, nullable=False), _name("server_type"), _name("flags"), _number("last_consumed"),
        _time("last_update"),
        _number("deleted"), _time("created"), _time("modified"), sa.PrimaryKeyConstraint("id", name="pk_resources"),
        sa.UniqueConstraint("name", "server", "deleted", name="uq_resources_name_server_deleted"), sqlite_autoincrement=True, **_AS)
    op.create_table(
        "resource_clusters", sa.Column("resource_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("cluster_id", sa.BigInteger, nullable=False, autoincrement=False), _number("allowed"),
        sa.PrimaryKeyConstraint("resource_id", "cluster_id", name="pk_resource_clusters"), **_AS)
