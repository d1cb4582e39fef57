"""Where a database is. Light: slurmdbd reads its configuration before it loads what asks a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"


class Storage(NamedTuple):
    """Where the database is: kind one of SQLITE, POSTGRESQL, MYSQL (MariaDB too); `name` the database, or SQLite's file.

    A host that begins with a slash is a unix socket: its folder (PostgreSQL), or itself (MySQL). `parameters` as StorageParameters has
    them. `backup_host` is asked while nobody answers at `host`; that both hold the same is whoever runs them to see to.
    """

    kind: str
    name: str
    host: str = "localhost"
    port: int = 0
    user: str = ""
    password: str = ""
    parameters: Mapping[str, str] = {}
    backup_host: str = ""

    def __str__(self) -> str:
        return self.name if self.kind == SQLITE else f"{self.kind} database {self.name} at {self.host}" + (
            f" or {self.backup_host}" if self.backup_host else "")

    def __repr__(self) -> str:  # a password belongs in no log
        return str(self)
