"""The machines of the set-up: this one, and others by ssh, which have to have slurm-py installed. Each is asked and told the same way."""

from __future__ import annotations

import os
import shlex
from typing import Protocol, TypeVar
from uuid import uuid4

import msgspec

from slurm.commands.setup import part
from slurm.commands.setup.part import Part, Seen
from slurm.commands.setup.texts import Machine
from slurm.model.errors import ConfigError, Unreachable
from slurm.sdk.backends.program import behind_mark, marked, through
from slurm.sdk.backends.ssh_connection import SshConnection
from slurm.sdk.backends.ssh_login import Login

NOT_FOUND = 127
SECONDS = 180.0
T = TypeVar("T")


class Place(Protocol):
    """A machine that can be looked at and changed."""

    def machine(self, user: str) -> Machine:
        """What it has."""
        ...

    def look(self, wanted: Part) -> Seen:
        """How it differs from what is wanted."""
        ...

    def apply(self, wanted: Part) -> list[str]:
        """Make it so; backups."""
        ...

    def start(self, units: list[str]) -> None:
        """Have its systemd start these."""
        ...


class Here:
    """This machine."""

    machine = staticmethod(part.machine)
    look = staticmethod(part.look)
    apply = staticmethod(part.apply)
    start = staticmethod(part.start)


class There:
    """A machine by ssh; its own `slurm setup-part` does what is to be done. ConfigError with what it said, Unreachable."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self._connection = SshConnection(Login(address, connection_attempts=1))

    def machine(self, user: str) -> Machine:
        """What it has."""
        return self._told(f"slurm setup --part machine --user {shlex.quote(user)}", Machine)

    def look(self, wanted: Part) -> Seen:
        """How it differs."""
        seen = self._with(wanted, "look", Seen)
        if seen.states.keys() != {file.path for file in wanted.files} or not set(seen.states.values()) <= set(part.STATES):
            raise ConfigError(message=f"{self.name}: `slurm setup --part look` told of other files than it was asked for",
                hints=["install the same version there as here"])
        return seen

    def apply(self, wanted: Part) -> list[str]:
        """Make it so."""
        return self._with(wanted, "apply", list[str])

    def start(self, units: list[str]) -> None:
        """Have its systemd start these."""
        self._with(Part(units=units), "start", list[str])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _with(self, wanted: Part, what: str, kind: type[T]) -> T:
        """The part lies on the other machine, readable by its owner alone, for as long as this takes."""
        path = f"/tmp/slurm-setup-{uuid4().hex}/part.json"
        self._said(f"mkdir -m 0700 {os.path.dirname(path)}")
        try:
            self._connection.write(path, msgspec.json.encode(wanted), 0o600)
            return self._told(f"slurm setup --part {what} --part-file {path}", kind)
        except OSError as error:
            raise ConfigError(message=f"{self.name}: cannot write {path}: {error.strerror or error}") from error
        finally:
            self._said(f"rm -rf {os.path.dirname(path)}")

    def _told(self, command: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._said(command), type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ConfigError(message=f"{self.name}: `{command.partition(' --part-file')[0]}` printed something else: {error}") from error

    def _said(self, command: str) -> str:
        try:
            answer = self._connection.run(through("sh -c", marked(command)), SECONDS, command)
            if answer.status == NOT_FOUND:
                answer = self._connection.run(through("bash -lc", marked(command)), SECONDS, command)
        except Exception as error:  # whatever asyncssh, the name service or the other side came up with
            raise Unreachable(message=f"{self.name} cannot be asked by ssh: {error}", hints=[
                f"`ssh {self._connection.login.hostname} true` has to work without a password, as this user"]) from error
        if answer.status == NOT_FOUND:
            raise ConfigError(message=f"{self.name} has no `slurm` on PATH", hints=["install slurm-py there, the same version as here"])
        if answer.status:
            raise ConfigError(message=f"{self.name}: {behind_mark(answer.err).strip().removeprefix('slurm: error: ')}")
        return behind_mark(answer.out)
