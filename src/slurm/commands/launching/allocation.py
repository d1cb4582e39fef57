"""An allocation without a script, held by an open connection: asking, waiting, keeping it through restarts of slurmctld, giving it back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from slurm.commands.launching.controller import Controller
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.voice import Voice
from slurm.model.errors import MESSAGES, NotFound, NotNow, SlurmError, Unreachable
from slurm.net.client import Connection, decode

_QUEUED_SECONDS = 0.15
"""Waiting shorter than this is not worth a line."""
_UNAVAILABLE = MESSAGES["ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE"][1]
"""What Slurm says of a job that cannot start as things are; why not is told by the notes."""
_ATTACH_SECONDS = 0.5
_UNSURE_SECONDS = 10.0
"""How long a slurmctld that went while it was asked is looked for, outside a job."""
_RELINQUISH_SECONDS = 15.0


class Allocation:
    """One job that this program holds. Exactly one of `granted`, `ended` and `refused` says how far it came; `ended` may follow `granted`.

    `pending_line` makes the first of the lines that say that it waits; `on_change` is called after each news.
    """

    def __init__(self, loop: Loop, controller: Controller, voice: Voice) -> None:
        self.job_id = 0
        self.granted: dict[str, Any] | None = None
        self.ended: dict[str, Any] | None = None
        self.refused: SlurmError | None = None
        self.pending_line = ""
        self.on_change: Callable[[], None] = _nothing
        self._loop = loop
        self._controller = controller
        self._voice = voice
        self._connection: Connection | None = None
        self._notes: list[str] = []
        self._said_queued = False
        self._released = False
        self._request: dict[str, object] = {}
        self._unsure_since = 0.0

    @property
    def settled(self) -> bool:
        """Whether waiting for the resources is over, one way or the other."""
        return self.granted is not None or self.ended is not None or self.refused is not None

    def ask(self, request: dict[str, object], *components: dict[str, object]) -> None:
        """Ask for the resources, `components` for the others of a heterogeneous job; how it goes on shows in the loop. Unreachable.

        `immediate` of more than one second is waited for here: the job is queued meanwhile and says so, as in Slurm.
        """
        seconds = request.get("immediate", 0)
        if isinstance(seconds, int) and seconds > 1:
            request, *others = ({name: value for name, value in one.items() if name != "immediate"} for one in (request, *components))
            components = tuple(others)
            self._loop.after(seconds, "immediate", self._out_of_patience)
        self._request = {"type": "AllocateJob", "request": request, "key": os.urandom(16).hex(), "components": components}
        self._connect(self._request, self._controller.open())

    def relinquish(self, status: int) -> None:
        """Give it back with a final wait status; says so when slurmctld cannot be told."""
        self._released = True
        for name in ("queued", "attach", "immediate"):
            self._loop.cancel(name)
        if self.job_id and self.ended is None:
            try:
                self._controller.tell({"type": "Relinquish", "job_id": self.job_id, "status": status}, _RELINQUISH_SECONDS)
            except NotFound as error:
                self._voice.verbose(f"job {self.job_id}: {error.message}")
            except SlurmError as error:
                self._voice.error(f"Unable to relinquish job allocation {self.job_id}: {error.message}")
        self._disconnect()

    def leave(self) -> None:
        """Let go of the connection and nothing else."""
        self._released = True
        self._disconnect()

    # --- the connection --------------------------------------------------------------------------------------------------

    def _connect(self, message: dict[str, object], connection: Connection) -> None:
        connection.send(message)
        self._connection = connection
        self._loop.watch(connection.fileno(), READ, self._on_readable)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None

    def _on_readable(self, events: int) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            for _, payload in connection.ready():
                self._take(decode(payload))
            lost = connection.closed
        except Unreachable:
            lost = True
        except SlurmError as error:
            self._refuse(error)
            lost = False
        if lost:
            self._lost()
        self.on_change()

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "Pending" and self.granted is None:
            self.job_id = int(message["job_id"])
            self._notes = list(message.get("notes", ()))
            if not self._said_queued:
                self._loop.after(_QUEUED_SECONDS, "queued", self._say_queued)
        elif kind == "Granted" and self.granted is None:
            self.job_id = int(message["job_id"])
            self.granted = message
            self._loop.cancel("queued")
            self._loop.cancel("immediate")
            if self._said_queued:
                self._voice.info(f"job {self.job_id} has been allocated resources")
        elif kind == "Notified":
            self._voice.info(str(message["text"]))
        elif kind == "JobEnded":
            self.job_id = int(message["job_id"])
            self.ended = message
            self._loop.cancel("queued")

    def _say_queued(self) -> None:
        if self._said_queued:
            return
        self._said_queued = True
        if self._notes:
            self._voice.info(_UNAVAILABLE)
        for note in self._notes:
            if note != _UNAVAILABLE:
                self._voice.info(f"warning: {note}")
        if self.pending_line:
            self._voice.info(self.pending_line.format(job=self.job_id))
        self._voice.info(f"job {self.job_id} queued and waiting for resources")

    def _refuse(self, error: SlurmError) -> None:
        """A refusal of the request; of an attachment: the job is gone."""
        if self.granted is None and not self.job_id:
            self.refused = error
        else:
            self.ended = {"type": "JobEnded", "job_id": self.job_id, "state": "", "reason": error.message}

    def _lost(self) -> None:
        self._disconnect()
        if self._released or self.ended is not None or self.refused is not None:
            return
        if self.job_id:
            self._loop.after(_ATTACH_SECONDS, "attach", self._attach)
            return
        if not self._unsure_since:
            self._unsure_since = time.monotonic()
            self._voice.info("slurmctld was lost before it answered: asking again (the job is made once)")
        self._loop.after(_ATTACH_SECONDS, "attach", self._ask_again)

    def _ask_again(self) -> None:
        """It is not known whether the request arrived: by its key it makes one job, however often it is sent."""
        try:
            self._connect(self._request, self._controller.open(0.0))
        except Unreachable:
            if time.monotonic() - self._unsure_since < max(_UNSURE_SECONDS, self._controller.away_seconds):
                self._loop.after(_ATTACH_SECONDS, "attach", self._ask_again)
                return
            self.refused = Unreachable(message="Zero Bytes were transmitted or received", hints=[
                "slurmctld closed the connection before it answered: whether a job was queued is not known, `squeue --me` shows it"])
            self.on_change()

    def _attach(self) -> None:
        try:
            self._connect({"type": "AttachAllocation", "job_id": self.job_id}, self._controller.open(0.0))
        except Unreachable:
            self._loop.after(_ATTACH_SECONDS, "attach", self._attach)

    def _out_of_patience(self) -> None:
        if not self.settled:
            if self._loop.due("queued"):
                self._say_queued()
            self.refused = NotNow("ESLURM_NODES_BUSY")


def _nothing() -> None:
    """Nobody wants to know yet."""
