"""Reservations: what was reserved when."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LONG = sa.Text().with_variant(sa.Text(2**32 - 1), "mysql", "mariadb")
_AS: dict[str, Any] = {f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in (
    ("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))}


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False, server_default="0")


def upgrade() -> None:
    """Add the table; nothing is in it."""
    op.create_table(
        "reservations", sa.Column("id", _ID, nullable=False), _number("cluster_id"), _number("reservation_id"), _time("occurrence"),
        _time("time_start"), _time("time_end"), sa.Column("name", sa.String(255), nullable=False, server_default=""),
        sa.Column("record", _LONG, nullable=False), sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.UniqueConstraint("cluster_id", "reservation_id", "occurrence", "time_start",
        name="uq_reservations_cluster_id_reservation_id_occurrence_time_start"),
        sqlite_autoincrement=True, **_AS)
    op.create_index("ix_reservations_time_end", "reservations", ["time_end"])
