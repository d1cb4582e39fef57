"""Where srun reaches this node: it checks who calls with which credential, and hands the connection over to a slurmstepd.

The first message of a connection is a LaunchStep, or an AttachStep for a step that runs (`attaching`). On this machine's socket the
connection is the slurmstepd's after it. From another machine it came over TLS, which cannot be handed over: it is answered with a ticket,
and the connection that begins with that ticket is the slurmstepd's. What cannot be started is answered with a step_io FAILED frame, whose
JSON has "message" and "name" (Slurm's error name).
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from slurm.daemon.logs import Seldom
from slurm.model import bounds
from slurm.model.errors import InvalidRequest, NotNow, NotPermitted, SlurmError, describe
from slurm.model.job import NodeShare
from slurm.model.settings import Settings
from slurm.net.server import Peer, Server
from slurm.net.tls import Trust
from slurm.slurmd import binding, control, environment
from slurm.slurmd.answers import Answer
from slurm.slurmd.attaching import Attaching, Caller
from slurm.slurmd.node import Node
from slurm.slurmd.step_tickets import Claim, Tickets
from slurm.slurmd.stepd.folder import StepKey, StepRecord
from slurm.slurmd.stepd.srun_line import Proof
from slurm.slurmd.stepd.timekeeping import boot_clock
from slurm.slurmd.stepd.user import can_become
from slurm.slurmd.steps import Prepared
from slurm.wire import frames, step_io
from slurm.wire.messages import UNREADABLE
from slurm.wire.node_messages import AttachStep, LaunchStep, StepTicket
from slurm.wire.step_credential import StepCredential

log = logging.getLogger("slurmd.steps")
_SETTINGS = Settings()  # what bounds a LaunchStep is the same everywhere
_DEBUG_LEVEL = 2
"""SLURMD_DEBUG in a step's environment, as a Slurm at its usual level has it."""


class StepServer:
    """Serves the endpoints at which srun may call. `trust` proves this node to callers on TCP and them to it; without it only the local
    socket is served."""

    def __init__(self, node: Node, trust: Trust | None = None) -> None:
        self._node = node
        self._trust = trust
        self._server = Server(self._on_message, trust=trust, on_ticket=self._on_ticket, log=log)
        self._decode = msgspec.json.Decoder(LaunchStep | AttachStep).decode
        self._attaching = Attaching(node)
        self._retold: set[Peer] = set()
        self._tickets = Tickets()
        self._refusals = Seldom(log)

    async def open(self) -> None:
        """Listen. ConfigError when a place is taken."""
        for endpoint in self._node.settings.listen:
            if endpoint.is_unix:
                os.makedirs(os.path.dirname(endpoint.path), exist_ok=True)
            if endpoint.is_unix:
                await self._server.listen(endpoint)
        if self._trust is not None:
            await self.secure(self._trust)

    async def secure(self, trust: Trust) -> None:
        """Serve other machines too, from now on. ConfigError when a port is taken."""
        self._trust = trust
        self._server.secure(trust)
        for endpoint in self._node.settings.listen:
            if not endpoint.is_unix:
                self._node.endpoint = str(await self._server.listen(endpoint))

    async def close(self) -> None:
        """Stop listening; connections that were handed over are not ours any more."""
        await self._server.close()

    def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        # Not a coroutine: the connection must be taken over before the server reads on, since what follows is step input.
        if peer in self._retold:
            return  # input for tasks that have theirs from another connection
        try:
            if codec != frames.JSON:
                raise InvalidRequest("SLURM_MALFORMED_MESSAGE")
            message = self._decode(payload)
            bounds.check(message, _SETTINGS)
            if isinstance(message, AttachStep):
                self._attaching.attach(peer, message, self._uid_and_proof(peer))
            else:
                self._take_over(peer, message)
        except SlurmError as error:
            self._answer(peer, error)
        except UNREADABLE as error:
            self._answer(peer, InvalidRequest("SLURM_MALFORMED_MESSAGE", hints=[str(error)]))

    def _answer(self, peer: Peer, error: SlurmError) -> None:
        self._refusals.warning(str(peer.party) if peer.party else f"uid {peer.identity.uid}", f"a step is refused: {error.message}")
        peer.send(_failed(error))
        peer.close()

    def _take_over(self, peer: Peer, message: LaunchStep) -> None:
        node = self._node
        credential = node.credentials.check(message.credential)
        uid = _uid_of(peer)
        _may_use(uid, credential)
        key = StepKey(credential.job, credential.attempt, credential.step)
        answer = node.answers.find(key)
        if answer is not None:
            self._tell_again(peer, key, answer)
            return
        share = self._allowed(key, credential, message)
        record = self._record(credential, share, message)
        if peer.local:
            self._begin(Claim(key, credential, record, uid), peer.detach)
        else:
            ticket = self._tickets.give(key, credential, record, uid)
            peer.send(frames.pack(frames.JSON, msgspec.json.encode(StepTicket(ticket=ticket.hex()))))
            peer.close()

    def _on_ticket(self, secret: bytes, detach: Callable[[], tuple[socket.socket, bytes]]) -> None:
        """A connection that begins with a ticket came. NotPermitted, and whatever else keeps its step from beginning."""
        if self._attaching.take(secret, detach):
            return
        claim = self._tickets.take(secret)
        if claim is None:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["it shows a ticket that is not good, or not any more"])
        if self._node.roster.is_past(claim.key.job, claim.key.attempt):
            raise NotPermitted("ESLURMD_CREDENTIAL_REVOKED", hints=[f"job {claim.credential.job_shown} has ended"])
        self._begin(claim, detach)

    def _begin(self, claim: Claim, detach: Callable[[], tuple[socket.socket, bytes]]) -> None:
        """Have the step's slurmstepd forked for the connection that `detach` gives."""
        node, key = self._node, claim.key
        try:
            node.answers.begun(key, claim.credential.expires)
        except OSError as error:
            raise self._cannot_write(error) from error
        proof = -1 if self._trust is None or not claim.remote else _proof(self._trust, claim.uid)
        connection, early = detach()
        # From here on the connection is ours: a refusal is written to it directly.
        if node.scripts.prolog_done(key.job, key.attempt):
            self._prepare(claim, connection, early, proof)
        else:
            node.spawn(self._begin_after_prolog(claim, connection, early, proof))

    async def _begin_after_prolog(self, claim: Claim, connection: socket.socket, early: bytes, proof: int) -> None:
        node, credential = self._node, claim.credential
        told = {**credential.prolog, **credential.prolog_nodes.get(node.settings.node, {})}
        ready = await node.prepared(credential.job, credential.attempt, told)
        if ready and not node.roster.is_past(credential.job, credential.attempt):
            self._prepare(claim, connection, early, proof)
            return
        hints = [f"job {credential.job_shown} has ended"]
        self._give_up(connection, claim, NotPermitted("ESLURMD_CREDENTIAL_REVOKED", hints=hints) if ready
            else NotNow("ESLURMD_PROLOG_FAILED"))
        connection.close()
        if proof >= 0:
            os.close(proof)

    def _prepare(self, claim: Claim, connection: socket.socket, early: bytes, proof: int) -> None:
        node = self._node
        try:
            prepared = node.prepare(claim.record, early=early)
        except OSError as error:
            self._give_up(connection, claim, self._cannot_write(error))
            connection.close()
        else:
            node.spawn(self._launch(claim, prepared, connection, proof))

    def _cannot_write(self, error: OSError) -> NotNow:
        return NotNow(message=f"cannot write the step's files to {self._node.settings.spool}: {error.strerror}")

    def _give_up(self, connection: socket.socket, claim: Claim, error: SlurmError) -> None:
        """Say why; a srun that waits for TLS reads nothing but that the connection ends, asks again, and is told then."""
        self._node.answers.failed(claim.key, describe(error))
        log.error("a step cannot be started: %s", error.message)
        if claim.remote:
            return
        try:
            connection.send(_failed(error))
        except OSError as failure:
            log.info("srun did not wait for the answer: %s", failure.strerror)

    async def _launch(self, claim: Claim, prepared: Prepared, connection: socket.socket, proof: int) -> None:
        attached = [connection.fileno()] if proof < 0 else [connection.fileno(), proof]
        try:
            await self._node.steps.launch(prepared, attached)
        except SlurmError as error:
            self._give_up(connection, claim, error)
            self._node.not_begun(claim.key)
        finally:
            connection.close()
            if proof >= 0:
                os.close(proof)

    # --- a credential that comes again -----------------------------------------------------------------------------------

    def _tell_again(self, peer: Peer, key: StepKey, answer: Answer) -> None:
        """The step was begun by this credential: say what came of it, as it is known. Its output goes where it went at first."""
        log.info("step %s was begun before: its srun is told what came of it", key.shown)
        self._retold.add(peer)
        peer.on_close(lambda: self._retold.discard(peer))
        if answer.known:
            _tell_end(peer, answer)
        else:
            self._node.spawn(self._tell_present(peer, key, answer))

    async def _tell_present(self, peer: Peer, key: StepKey, answer: Answer) -> None:
        present = await control.ask(self._node.steps.path_of(key), {"op": "status"})
        pids = present.get("pids") if present is not None else None
        if isinstance(pids, dict) and all(pids.values()) and not answer.known:
            _say(peer, step_io.STARTED, {"pids": pids})
        answer.when_known(lambda known: _tell_end(peer, known))

    def _uid_and_proof(self, peer: Peer) -> Caller:
        uid = _uid_of(peer)
        trust = self._trust
        return Caller(uid, None if peer.local or trust is None else lambda: _proof(trust, uid))

    # --- who may do what -------------------------------------------------------------------------------------------------

    def _allowed(self, key: StepKey, credential: StepCredential, message: LaunchStep) -> NodeShare:
        """The share of this node, after every check of who may do what."""
        node = self._node
        if node.roster.is_past(key.job, key.attempt):
            raise NotPermitted("ESLURMD_CREDENTIAL_REVOKED", hints=[f"job {credential.job_shown} has ended"])
        if node.roster.has_seen(key):
            raise InvalidRequest("ESLURM_DUPLICATE_STEP_ID", hints=[f"step {key.shown} was started before"])
        share = next((share for share in credential.shares if share.node == node.settings.node), None)
        if share is None:
            raise NotPermitted(hints=[f"step {key.shown} has nothing on node {node.settings.node}"])
        if len(message.ranks) != share.tasks or not (message.argv or message.multi_prog):
            raise InvalidRequest("ESLURM_BAD_TASK_COUNT", hints=[
                f"{len(message.ranks)} tasks were sent for node {node.settings.node}, the step has {share.tasks} there"])
        for per_task in (message.task_environment, message.multi_prog):
            if per_task and len(per_task) != len(message.ranks):
                raise InvalidRequest("ESLURM_BAD_TASK_COUNT", hints=["one entry for each task is needed"])
        return share

    def _x11(self, message: LaunchStep) -> dict[str, Any]:
        """The fields of a StepRecord about X11. InvalidRequest, also where it is not forwarded here."""
        if not message.x11_cookie:
            return {}
        if not self._node.settings.x11:
            raise InvalidRequest(message="X11 forwarding not available", hints=["slurm.conf has no PrologFlags=X11"])
        try:
            bytes.fromhex(message.x11_cookie)
        except ValueError as error:
            raise InvalidRequest("SLURM_MALFORMED_MESSAGE", hints=["x11_cookie: no hexadecimal digits"]) from error
        return {"x11_cookie": message.x11_cookie, "x11_screen": message.x11_screen, "x11_home": self._node.settings.x11_home}

    def _record(self, credential: StepCredential, share: NodeShare, message: LaunchStep) -> StepRecord:
        node = self._node
        gpus = list(share.gres["gpu"]) if "gpu" in share.gres else None
        bound = node.bound(binding.Wish(message.cpu_bind, message.cpus_per_task, message.threads_per_core, message.distribution), share.cpus,
            share.tasks)
        return node.completed(StepRecord(
            job=credential.job, attempt=credential.attempt, step=credential.step, node=node.settings.node, uid=credential.uid,
            gid=credential.gid, user=credential.user, groups=credential.groups, argv=message.argv,
            environment=environment.of_step(
                {**message.environment, **bound.variables}, node.settings.node, message.node_rank, message.ranks, share.cpus, gpus, _DEBUG_LEVEL,
                gpus_given_out=node.settings.gpus_given_out, place=node.settings.place(message.environment.get("SLURM_JOB_PARTITION", "")),
                naming=node.naming),
            work_dir=message.work_dir, rlimits=message.rlimits, stdin=message.stdin, stdout=message.stdout, stderr=message.stderr,
            append=message.append, umask=message.umask, cpus=node.binding(share.cpus), task_cpus=bound.cpus, bind_report=bound.report,
            memory=share.memory,
            ranks=message.ranks, node_rank=message.node_rank,
            task_environment=environment.of_tasks(message.task_environment, message.gpu_bind, gpus, len(message.ranks), node.naming),
            multi_prog=message.multi_prog,
            pty=message.pty, rows=message.rows, cols=message.cols, kill_on_bad_exit=message.kill_on_bad_exit, kill_wait=node.kill_wait,
            deadline=boot_clock() + credential.time_left if credential.time_left >= 0 else 0.0, lease=credential.lease,
            allowed_seconds=max(0, credential.time_limit),
            task_prologs=[message.task_prolog] if message.task_prolog else [],
            task_epilogs=[message.task_epilog] if message.task_epilog else [],
            wait_for_children=message.wait_for_children, mpi=message.mpi, places=message.places, size=message.ntasks,
            sample_seconds=credential.sampling, **self._x11(message),
            gpus=bool(credential.devices.get(node.settings.node))),
            credential.job_memory.get(node.settings.node, 0), share.cpus, credential.devices.get(node.settings.node, []))


def _frame(kind: int, what: object, rank: int = step_io.ALL_TASKS) -> bytes:
    return frames.pack(frames.STEP_IO, step_io.pack(kind, rank, json.dumps(what).encode()))


def _failed(error: SlurmError) -> bytes:
    return _frame(step_io.FAILED, describe(error))


def _say(peer: Peer, kind: int, what: object, rank: int = step_io.ALL_TASKS) -> None:
    peer.send(_frame(kind, what, rank))


def _tell_end(peer: Peer, answer: Answer) -> None:
    if answer.failed is not None:
        _say(peer, step_io.FAILED, answer.failed)
    else:
        for rank, status in (answer.statuses or {}).items():
            _say(peer, step_io.EXITED, {"status": status, "oom": False}, rank)
        peer.send(frames.pack(frames.STEP_IO, step_io.pack(step_io.DONE, step_io.ALL_TASKS)))
    peer.close()


def _uid_of(peer: Peer) -> int:
    """Whose srun this is: the kernel says it, or a certificate. NotPermitted for anybody else's."""
    if peer.local:
        return peer.identity.uid
    if peer.party is None or peer.party.role != "user" or not peer.party.name.isdecimal():
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR",
            hints=[f"steps are started for users, not for {peer.party or 'who shows no certificate'}"])
    return int(peer.party.name)


def _may_use(uid: int, credential: StepCredential) -> None:
    if uid not in (0, credential.uid):
        raise NotPermitted(hints=[f"the step belongs to uid {credential.uid}, you are uid {uid}"])
    if not can_become(credential.uid):
        raise NotPermitted(hints=[f"slurmd runs as uid {os.geteuid()} and cannot run steps of uid {credential.uid}"])


def _proof(trust: Trust, uid: int) -> int:
    """A descriptor of what a slurmstepd proves this node by, to a srun of this user."""
    held = trust.credentials
    assert held.own is not None, "a server has a certificate"
    return Proof(
        held.cluster, held.own.certificate.decode(), held.own.key.decode(), held.authorities.decode(), sorted(held.revoked),
        [uid]).to_memory()
