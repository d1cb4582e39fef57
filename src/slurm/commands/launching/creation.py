"""Asking slurmctld for a step, again and again while the job's resources are busy with other steps."""

from __future__ import annotations

import os
from typing import Any

from slurm.commands.launching.controller import Controller
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.voice import Voice
from slurm.model.errors import NotNow, SlurmError, Unreachable
from slurm.net.client import Connection, decode

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_GROWTH = 1.5
_LOST_SECONDS = 60.0
"""How long a controller that went away while it was asked is looked for."""
_FINAL = frozenset({"ESLURM_JOB_PENDING"})
"""Refusals for now that waiting does not cure within reason."""


class StepCreation:
    """One request for a step. In the end `granted` or `refused` is set."""

    def __init__(self, loop: Loop, controller: Controller, voice: Voice, job_id: int, request: dict[str, object]) -> None:
        self.granted: dict[str, Any] | None = None
        self.refused: SlurmError | None = None
        self._loop = loop
        self._controller = controller
        self._voice = voice
        self._job_id = job_id
        self._message = {"type": "CreateStep", "job_id": job_id, "request": {**request, "key": os.urandom(8).hex()}}
        immediate = request.get("immediate", 0)
        self._patience = immediate if isinstance(immediate, int) else 0
        self._connection: Connection | None = None
        self._pause = _FIRST_PAUSE
        self._said = False

    @property
    def settled(self) -> bool:
        """Whether there is an answer."""
        return self.granted is not None or self.refused is not None

    def ask(self) -> None:
        """Begin. Unreachable when there is no controller now."""
        if self._patience > 1:
            self._loop.after(self._patience, "step immediate", self._out_of_patience)
        self._send(self._controller.open())

    def close(self) -> None:
        """Stop asking."""
        for name in ("step retry", "step immediate", "step lost"):
            self._loop.cancel(name)
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None

    def _send(self, connection: Connection) -> None:
        self._connection = connection
        connection.send(self._message)
        self._loop.watch(connection.fileno(), READ, self._on_readable)

    def _on_readable(self, events: int) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            for _, payload in connection.ready():
                self._loop.cancel("step lost")
                self._take(decode(payload))
            if connection.closed and not self.settled:
                self._lost()
        except Unreachable:
            self._lost()
        except NotNow as error:
            self._busy(error)
        except SlurmError as error:
            self.refused = error

    def _take(self, message: dict[str, Any]) -> None:
        self.granted = message
        if self._said:
            self._voice.info(f"Step created for StepId={message['job_id']}.{message['step_id']}")

    def _busy(self, error: SlurmError) -> None:
        if error.name in _FINAL or self._patience == 1:
            self.refused = error
            return
        if not self._said:
            self._said = True
            self._voice.info(f"Job {self._job_id} step creation temporarily disabled, retrying ({error.message})")
        self._loop.after(self._pause, "step retry", self._again)
        self._pause = min(_LONGEST_PAUSE, self._pause * _GROWTH)

    def _again(self) -> None:
        try:
            if self._connection is None:
                self._send(self._controller.open(0.0))
            else:
                self._connection.send(self._message)
        except Unreachable:
            self._lost()

    def _lost(self) -> None:
        """slurmctld went away: it comes back, or it does not."""
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None
        if not self._loop.due("step lost"):
            self._loop.after(_LOST_SECONDS, "step lost", self._give_up)
        self._loop.after(self._pause, "step retry", self._again)
        self._pause = min(_LONGEST_PAUSE, self._pause * _GROWTH)

    def _give_up(self) -> None:
        if not self.settled and self._connection is None:
            self.refused = Unreachable()

    def _out_of_patience(self) -> None:
        if not self.settled:
            self.refused = NotNow("ESLURM_NODES_BUSY")
