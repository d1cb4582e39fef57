"""The first schema: databases of this version were made whole, from the tables themselves."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: this is where the steps begin."""
