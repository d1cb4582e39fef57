"""What policy has beside its limits: the priority of an association, what a QOS says of time, usage and preemption."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; what is there has none of it set."""
    op.add_column("associations", sa.Column("priority", sa.BigInteger))
    op.add_column("qos", sa.Column("grace_time", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("qos", sa.Column("preempt_exempt_time", sa.BigInteger))
    op.add_column("qos", sa.Column("usage_factor", sa.Double, nullable=False, server_default="1"))
    op.add_column("qos", sa.Column("usage_threshold", sa.Double))
    op.add_column("qos", sa.Column("limit_factor", sa.Double))
