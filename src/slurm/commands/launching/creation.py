"""Asking slurmctld for a step, again and again while the job's resources are busy with other steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from slurm.commands.launching.controller import Controller
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.voice import Voice
from slurm.model.errors import NotNow, SlurmError, Unreachable
from slurm.net.client import TELL_SECONDS, Connection, decode, waiting_line

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_GROWTH = 1.5
_LOST_SECONDS = 60.0
"""How long a controller that went away while it was asked is looked for at least."""
_FINAL = frozenset({"ESLURM_JOB_PENDING"})
"""Refusals for now that waiting does not cure within reason."""


class StepCreation:
    """One request for a step: what is `wanted` of the job, or of each of several components. In the end `granted` or `refused` is set."""

    def __init__(
        self, loop: Loop, controller: Controller, voice: Voice, job_id: int, wanted: Sequence[tuple[int | None, dict[str, object]]],
        *, inside: bool = False,
    ) -> None:
        (group, request), *others = wanted
        key = os.urandom(8).hex()
        self.granted: dict[str, Any] | None = None
        self.refused: SlurmError | None = None
        self._loop = loop
        self._controller = controller
        self._voice = voice
        self._job_id = job_id
        self._message: dict[str, object] = {"type": "CreateStep", "job_id": job_id, "request": {**request, "key": key}}
        if group is not None:
            self._message["het_group"] = group
        if others:
            self._message["components"] = [{"het_group": other, "request": {**asked, "key": key}} for other, asked in others]
        immediate = request.get("immediate", 0)
        self._patience = immediate if isinstance(immediate, int) else 0
        self._connection: Connection | None = None
        self._pause = _FIRST_PAUSE
        self._said = False
        self._inside = inside  # srun runs in a step itself
        self._why = Unreachable()
        self._told = False
        self._reached = False

    @property
    def settled(self) -> bool:
        """Whether there is an answer."""
        return self.granted is not None or self.refused is not None

    def ask(self) -> None:
        """Begin. One that is away is waited for as long as the controller may be."""
        if self._patience > 1:
            self._loop.after(self._patience, "step immediate", self._out_of_patience)
        self._again()

    def close(self) -> None:
        """Stop asking."""
        for name in ("step retry", "step immediate", "step lost", "step wait", "step answer"):
            self._loop.cancel(name)
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None

    def _send(self, connection: Connection) -> None:
        self._connection = connection
        self._loop.watch(connection.fileno(), READ, self._on_readable)
        self._put(connection)

    def _put(self, connection: Connection) -> None:
        """Ask; a reply that does not come within MessageTimeout is asked for on another connection: by its key the step is made once."""
        self._reached = True
        self._loop.after(self._controller.site.message_seconds, "step answer", self._lost)
        connection.send(self._message)

    def _on_readable(self, events: int) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            for _, payload in connection.ready():
                for name in ("step lost", "step wait", "step answer"):
                    self._loop.cancel(name)
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
            if self._inside:
                self._voice.info("hint: the step in which this srun runs may hold what it waits for; `srun --overlap` shares that")
        self._loop.after(self._pause, "step retry", self._again)
        self._pause = min(_LONGEST_PAUSE, self._pause * _GROWTH)

    def _again(self) -> None:
        try:
            if self._connection is None:
                self._send(self._controller.open(0.0))
            else:
                self._put(self._connection)
        except Unreachable as error:
            self._why = error
            self._lost()

    def _lost(self) -> None:
        """slurmctld is away: it comes back, or it does not."""
        self._loop.cancel("step answer")
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None
        if not self._loop.due("step lost"):
            seconds = max(self._controller.away_seconds, _LOST_SECONDS if self._reached else 0.0)
            self._loop.after(seconds, "step lost", self._give_up)
            if seconds > TELL_SECONDS and not self._told:
                self._loop.after(TELL_SECONDS, "step wait", lambda: self._tell(seconds))
        self._loop.after(self._pause, "step retry", self._again)
        self._pause = min(_LONGEST_PAUSE, self._pause * _GROWTH)

    def _tell(self, seconds: float) -> None:
        if not self.settled and self._connection is None:
            self._told = True
            self._voice.info(waiting_line(seconds))

    def _give_up(self) -> None:
        if not self.settled and self._connection is None:
            self.refused = self._why

    def _out_of_patience(self) -> None:
        if not self.settled:
            self.refused = NotNow("ESLURM_NODES_BUSY")
