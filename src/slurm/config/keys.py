"""Keys: the keys of a slurm.conf with every default resolved; all that a command needs to find its cluster.

    keys = read_keys(find_conf(os.environ) or …)
    keys.controllers, keys.slurmctld_port, keys.number("MessageTimeout")

Lives here: finding and reading the file, asking it by key. Not here: nodes, partitions and devices, which cost more to read and
which daemons want (`config`, which is these keys and those).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property

from slurm.config import schema, values
from slurm.config.reader import Entry, Opener, Origin, Problem, error_of, read
from slurm.config.values import Value
from slurm.model.errors import ConfigError

DEFAULT_PATH = "/etc/slurm/slurm.conf"
REPEATABLE = frozenset({"SlurmctldHost", "Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld", "TaskProlog", "TaskEpilog"})
"""Keys that may stand on several lines, each adding to the last."""

NO_FILE_HINTS = ("  start a cluster of your own with `slurm up`, or set SLURM_CONF to the slurm.conf of one",)


class Controller:
    """One SlurmctldHost: the name of the host and the address to reach it by."""

    __slots__ = ("addr", "host")

    def __init__(self, text: str) -> None:
        """Read "head" or "head(10.0.0.1)"."""
        self.host, bracket, addr = text.partition("(")
        self.addr = addr.rstrip(")") if bracket else self.host


def mode_of(rank: int, count: int) -> str:
    """What Slurm calls the slurmctld of this rank: primary, backup, and where there are several, backup1, backup2."""
    return "primary" if rank == 0 else "backup" if count == 2 else f"backup{rank}"


class Keys:
    """The keys of one slurm.conf. Ask with `keys[key]`, or by the method of the type that the key has; a key that is no row of
    the table is a KeyError. `warnings` are sentences to log once at start, by daemons; wrong keys and values raise ConfigError.
    """

    kind = "slurm.conf"

    def __init__(self, path: str, text: str, opener: Opener | None = None, *, keys_only: bool = True) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._problems: list[Problem] = []
        self._rows = schema.section(self.kind)
        self._records = read(text, path, self.kind, self._problems, opener, keys_only=keys_only)
        self._written: dict[str, list[Entry]] = {}
        self._values: dict[str, Value] = {}
        for record in self._records:
            for entry in record.entries if record.section == self.kind else ():
                self._settle(entry)

    def __getitem__(self, key: str) -> Value:
        """The value of a key of slurm.conf: its type is that of the row's kind, None where nothing is written and there is no default."""
        name = self._rows[key].name
        if name not in self._values:
            self._values[name] = values.default(self._rows[name])
        return self._values[name]

    def text(self, key: str) -> str:
        """A key's value as text, "" for none; lists are joined by commas."""
        value = self[key]
        if isinstance(value, list):
            return ",".join(value)
        return "" if value is None else str(value)

    def number(self, key: str) -> int:
        """A key's number in its own unit (sec, min, MB …), -1 for unlimited, 0 for none."""
        value = self[key]
        if isinstance(value, str | list):
            raise TypeError(f"{key} holds no number")
        return int(value or 0)

    def seconds(self, key: str) -> int:
        """A key's length of time in seconds, whatever its unit is; -1 for unlimited, 0 for none."""
        number = self.number(key)
        return number * 60 if number > 0 and self._rows[key].kind == "min" else number

    def flag(self, key: str) -> bool:
        """A key's yes or no."""
        return self[key] is True

    def words(self, key: str) -> list[str]:
        """A key's list."""
        value = self[key]
        return list(value) if isinstance(value, list) else []

    def options(self, key: str) -> dict[str, str]:
        """A key's list of switches, `bf_window=1440,defer` as {"bf_window": "1440", "defer": ""}."""
        return {name: value for name, _, value in (word.partition("=") for word in self.words(key))}

    def port(self, key: str) -> int:
        """A port key's port, the first one of a range."""
        return int(self.text(key).partition("-")[0])

    def written(self, key: str) -> Origin | None:
        """Where the key is written (the last place), None where it has its default."""
        entries = self._written.get(self._rows[key].name)
        return entries[-1].origin if entries else None

    def all_of(self, key: str) -> list[str]:
        """The texts of a repeatable key, one each line it is on."""
        return [entry.text for entry in self._written.get(self._rows[key].name, [])]

    @property
    def cluster_name(self) -> str:
        """ClusterName."""
        return self.text("ClusterName")

    @property
    def slurmctld_port(self) -> int:
        """SlurmctldPort, the first one of a range."""
        return self.port("SlurmctldPort")

    @property
    def slurmd_port(self) -> int:
        """SlurmdPort, the default of nodes without a Port."""
        return self.port("SlurmdPort")

    @property
    def state_save_location(self) -> str:
        """The controller's folder: StateSaveLocation, or what it names where the state itself is in PostgreSQL. ConfigError."""
        text = self.text("StateSaveLocation")
        if "://" not in text:
            return text
        from slurm.config import state_location  # here: only slurmctld asks, and commands start fast

        return state_location.parse(text).folder if state_location.is_one(text) else text

    @cached_property
    def controllers(self) -> list[Controller]:
        """The controllers in order of rank: SlurmctldHost=host(addr) lines, or what older words say (ControlMachine, BackupController)."""
        found = [Controller(text) for text in self.all_of("SlurmctldHost")]
        if found and self.text("ControlAddr"):
            found[0].addr = self.text("ControlAddr")
        if len(found) == 1 and self.text("BackupController"):
            backup = Controller(self.text("BackupController"))
            backup.addr = self.text("BackupAddr") or backup.addr
            found.append(backup)
        return found

    def _settle(self, entry: Entry) -> None:
        row = entry.row
        before = self._written.setdefault(row.name, [])
        if row.kind == "live":
            self._problems.append(Problem(entry.origin, f"{row.name} is shown by scontrol, and cannot be written"))
        if before and row.name not in REPEATABLE:
            self.warnings.append(f"{entry.origin}: {row.name} specified more than once, latest value used (first at {before[0].origin})")
        before.append(entry)
        try:
            self._values[row.name] = values.read(row, entry.text) if entry.text else values.default(row)
        except ValueError as error:
            self._problems.append(Problem(entry.origin, f"{row.name}={entry.text} is no value for {row.name}", str(error)))

    def raise_problems(self) -> None:
        """Raise everything that is wrong so far as one ConfigError."""
        if self._problems:
            raise error_of(self._problems)


def read_keys(path: str) -> Keys:
    """The Keys of the slurm.conf at `path`; ConfigError names all keys that are wrong."""
    keys = Keys(path, read_file(path), opener_of(path))
    keys.raise_problems()
    return keys


def find_conf(environ: Mapping[str, str]) -> str | None:
    """The slurm.conf a program shall read: SLURM_CONF, else /etc/slurm/slurm.conf where it exists, else None.

    None is where an embedded cluster may be looked for; that is the caller's business.
    """
    named = environ.get("SLURM_CONF")
    if named:
        return named
    return DEFAULT_PATH if os.path.exists(DEFAULT_PATH) else None


def read_file(path: str) -> str:
    """The text of a configuration file; ConfigError says why it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(message=f"{path}: {error.strerror}", hints=NO_FILE_HINTS) from None
    except UnicodeDecodeError as error:
        raise ConfigError(message=f"{path}: is no text in UTF-8 (byte {error.start})") from None


def opener_of(path: str) -> Opener:
    """The opener of what `path` includes: names are relative to its folder."""
    folder = os.path.dirname(os.path.abspath(path))

    def opener(name: str) -> tuple[str, str]:
        full = os.path.join(folder, name)
        with open(full, encoding="utf-8") as file:
            return full, file.read()

    return opener
