"""slurmdbd.conf: read and checked as slurm.conf is, asked by key.

    conf = load_slurmdbd("/etc/slurm/slurmdbd.conf")
    conf.storage_kind, conf.port("DbdPort"), conf.age("PurgeJobAfter"), conf.warnings
"""

from __future__ import annotations

import os

from slurm.config.keys import Keys, opener_of, read_file
from slurm.config.reader import Opener, Origin, Problem
from slurm.config.schema import Section
from slurm.config.standings import warnings_of

NAME = "slurmdbd.conf"
DEFAULT_PATH = f"/etc/slurm/{NAME}"
PRIVATE = ("accounts", "events", "jobs", "reservations", "usage", "users")
"""What PrivateData may name."""
_PREFIX = "accounting_storage/"


class DbdConfig(Keys):
    """A slurmdbd.conf; ConfigError with all that is wrong."""

    kind = NAME

    def __init__(self, path: str, text: str, opener: Opener | None = None) -> None:
        super().__init__(path, text, opener, keys_only=False)
        self.warnings += warnings_of(self._records)
        if not self.text("StorageType"):
            self._problems.append(Problem(Origin(path, 0, ""), "StorageType must be specified", (
                "write StorageType=accounting_storage/mysql, accounting_storage/postgresql or accounting_storage/sqlite")))
        strange = [word for word in self.words("PrivateData") if word not in (*PRIVATE, "none")]
        where = self.written("PrivateData")
        if strange and where is not None:
            self._problems.append(Problem(where, f"PrivateData={strange[0]} means nothing", f"valid: {', '.join(PRIVATE)}"))
        if self.storage_kind == "sqlite" and not os.path.isabs(self.text("StorageLoc")):
            self._problems.append(Problem(self.written("StorageLoc") or Origin(path, 0, ""),
                "StorageLoc must be the whole path of a file", (
                "write StorageLoc=/var/lib/slurm/accounting.db")))
        self.raise_problems()

    @property
    def rows(self) -> Section:
        """Every key there is."""
        return self._rows

    @property
    def storage_kind(self) -> str:
        """StorageType without its first half: mysql, postgresql, sqlite."""
        return self.text("StorageType").removeprefix(_PREFIX)

    @property
    def private(self) -> frozenset[str]:
        """What PrivateData hides."""
        return frozenset(self.words("PrivateData")) - {"none"}

    def age(self, key: str) -> tuple[int, str] | None:
        """How long a Purge…After keeps things: a number of `hour`, `day` or `month`; None: for ever."""
        text = self.text(key)
        if not text:
            return None
        number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return int(number), text[len(number):].lower().rstrip("s") or "month"


def parse_slurmdbd(text: str, name: str = NAME, *, opener: Opener | None = None) -> DbdConfig:
    """The DbdConfig that this text says; ConfigError names all that is wrong, with `name` and line."""
    return DbdConfig(name, text, opener)


def load_slurmdbd(path: str) -> DbdConfig:
    """The DbdConfig of the file at `path`; ConfigError."""
    return DbdConfig(path, read_file(path), opener_of(path))
