"""sattach at this node: who may look at a step that runs, and how the connection gets to its slurmstepd, also from another machine
(`step_server`)."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from slurm.model.errors import NotFound, NotNow, NotPermitted, SlurmError, describe
from slurm.net.server import Peer
from slurm.slurmd import control
from slurm.slurmd.node import Node
from slurm.slurmd.step_tickets import MOST, MOST_OF_A_USER, SECONDS
from slurm.slurmd.stepd.folder import StepKey
from slurm.wire import frames, step_io
from slurm.wire.node_messages import AttachStep, StepTicket

log = logging.getLogger("slurmd.steps")
_EARLY_BYTES = 16_384


class Caller(NamedTuple):
    """Whose sattach it is, and for one on another machine what makes a descriptor of what this node proves itself by."""

    uid: int
    proof: Callable[[], int] | None


class _Claim(NamedTuple):
    key: StepKey
    caller: Caller
    until: float


class Attaching:
    """Connections of sattach on their way to slurmstepds; tickets are good once, for a moment."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._clock = clock
        self._claims: dict[bytes, _Claim] = {}  # in order of their time

    def attach(self, peer: Peer, message: AttachStep, caller: Caller) -> None:
        """Hand the connection over, or answer with a ticket. NotFound, NotPermitted, NotNow."""
        key = StepKey(message.job, message.attempt, message.step)
        self._require(key, caller)
        if caller.proof is None:
            self._hand_over(key, caller, peer.detach)
            return
        self._require_leave(key, caller, message.credential)
        peer.send(frames.pack(frames.JSON, msgspec.json.encode(StepTicket(ticket=self._ticket(key, caller).hex()))))
        peer.close()

    def take(self, secret: bytes, detach: Callable[[], tuple[socket.socket, bytes]]) -> bool:
        """Whether a connection that begins with this ticket is one of ours; it is handed over then."""
        self._expire()
        claim = self._claims.pop(secret, None)
        if claim is None:
            return False
        self._hand_over(claim.key, claim.caller, detach)
        return True

    def _require(self, key: StepKey, caller: Caller) -> None:
        here = self._node.roster.find(key.job, key.attempt)
        step = here.steps.get(key.step) if here is not None else None
        record = step.record if step is not None and step.ended is None else None
        if record is None:
            raise NotFound("ESLURMD_JOB_NOTRUNNING", hints=[f"step {key.job}.{key.step} does not run on node {self._node.settings.node}"])
        if caller.uid == 0 != record.uid and caller.proof is not None:
            # The certificate of a root's srun could have been taken on any node on which root has a job.
            raise NotPermitted(hints=[f"the step belongs to {record.user}: root attaches to others' steps on the step's own node only"])
        if caller.uid not in (0, record.uid):
            raise NotPermitted(hints=[f"the step belongs to {record.user}, you are uid {caller.uid}"])
        if record.is_batch:
            raise NotFound(hints=["a batch script writes into files: see StdOut in scontrol show job"])

    def _require_leave(self, key: StepKey, caller: Caller, token: str) -> None:
        """A certificate is good for days; that its user may look at this step now, slurmctld says."""
        if not token:
            raise NotPermitted("ESLURMD_INVALID_JOB_CREDENTIAL", hints=[
                "it brings no credential for this step: this sattach is older than slurmd"])
        found = self._node.credentials.check_to_attach(token)
        if StepKey(found.job, found.attempt, found.step) != key or found.uid != caller.uid:
            raise NotPermitted("ESLURMD_INVALID_JOB_CREDENTIAL", hints=[
                f"it is for uid {found.uid} and step {found.job}.{found.step}, not for uid {caller.uid} and step {key.job}.{key.step}"])

    def _ticket(self, key: StepKey, caller: Caller) -> bytes:
        self._expire()
        mine = sum(claim.caller.uid == caller.uid for claim in self._claims.values())
        if len(self._claims) >= MOST or (caller.uid != 0 and mine >= MOST_OF_A_USER):
            raise NotNow(message="too many are attaching to steps of this node", hints=["sattach tries again"])
        secret = secrets.token_bytes(step_io.TICKET_BYTES)
        self._claims[secret] = _Claim(key, caller, self._clock() + SECONDS)
        return secret

    def _expire(self) -> None:
        now = self._clock()
        for secret in [secret for secret, claim in self._claims.items() if claim.until < now]:
            del self._claims[secret]

    def _hand_over(self, key: StepKey, caller: Caller, detach: Callable[[], tuple[socket.socket, bytes]]) -> None:
        connection, early = detach()
        descriptors = [connection.fileno(), *([caller.proof()] if caller.proof is not None else [])]
        self._node.spawn(self._give(key, connection, early, descriptors, remote=caller.proof is not None))

    async def _give(self, key: StepKey, connection: socket.socket, early: bytes, descriptors: list[int], *, remote: bool) -> None:
        order: dict[str, object] = {"op": "attach", "early": early[:_EARLY_BYTES].hex()}
        try:
            answer = await control.ask(self._node.steps.path_of(key), order,
                descriptors=descriptors) if len(early) <= _EARLY_BYTES else None
            if answer is None or not answer.get("ok"):
                why = str(answer.get("error", "")) if answer is not None else "its slurmstepd does not answer"
                log.info("a sattach is not attached to step %s: %s", key.shown, why)
                if not remote:
                    _refuse(connection, NotFound("ESLURMD_JOB_NOTRUNNING", hints=[why]))
        finally:
            connection.close()
            for proof in descriptors[1:]:
                os.close(proof)


def _refuse(connection: socket.socket, error: SlurmError) -> None:
    text = msgspec.json.encode(describe(error))
    try:
        connection.send(frames.pack(frames.STEP_IO, step_io.pack(step_io.FAILED, step_io.ALL_TASKS, text)))
    except OSError as failure:
        log.info("sattach did not wait for the answer: %s", failure.strerror)
