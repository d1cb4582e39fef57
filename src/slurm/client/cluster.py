"""A cluster's present, typed: what a program asks of slurmctld, and the door that asks it by the protocol. Blocking; it needs msgspec.

Records of jobs, nodes, partitions … are Slurm's JSON (v0.0.44), as `render` writes them in the controller. Every method raises the
SlurmError that slurmctld answered, or Unreachable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from slurm.client.accounting import Channel, Message
from slurm.model.errors import NotPermitted, ProtocolError, revive
from slurm.model.explanation import Explanation
from slurm.net import client
from slurm.net.client import Connection
from slurm.net.discovery import Site
from slurm.wire.follow_messages import RecordsListed
from slurm.wire.messages import (
    Cancelled,
    Explained,
    Failure,
    Granted,
    JobFilter,
    Pending,
    Pong,
    Rows,
    SharesListed,
    Submitted,
    Text,
    WillRun,
)
from slurm.wire.output_messages import OutputRead
from slurm.wire.reservation_messages import ReservationMade
from slurm.wire.token_messages import ActingAs

T = TypeVar("T")
Report = dict[str, Any]
_listed = msgspec.json.Decoder(RecordsListed | Failure).decode
_output = msgspec.json.Decoder(OutputRead | Failure).decode


class Unchanged(Exception):  # noqa: N818 - it is an answer
    """Nothing that was asked for has changed since the moment that was given."""


class Frames(Channel, Protocol):
    """What the door needs of a connection."""

    def exchange(self, message: Message) -> bytes:
        """Sends a request and waits for its reply, as it came."""
        ...


class Cluster:
    """Messages of `wire.messages` over a connection to slurmctld."""

    def __init__(self, channel: Frames) -> None:
        self.version = ""  # of what was reported or listed last: the same records have the same
        self._channel = channel

    def ping(self) -> Pong:
        """Who answers."""
        return _read(self._channel.call({"type": "Ping"}), Pong)

    def counters(self) -> Mapping[str, object]:
        """How busy slurmctld is, as `render.statistics` takes it."""
        found = self._channel.call({"type": "ReadStatistics"}).get("statistics", {})
        return found if isinstance(found, dict) else {}

    def metrics(self, kind: str) -> str:
        """Numbers for Prometheus, in OpenMetrics; `kind` is one of wire.follow_messages.METRICS."""
        return str(self._channel.call({"type": "ReadMetrics", "what": kind}).get("text", ""))

    def report(self, what: str, names: Sequence[str] = (), **more: object) -> Report:
        """Records under their key, with the time of the report and `meta`; `what` and `more` are Describe's.

        Unchanged with a `since` after all changes, or an `unless` that is what `version` was.
        """
        reply = self._channel.call({"type": "Describe", "what": what, "names": list(names), "format": "json", **more})
        self.version = str(reply.get("version", ""))
        if reply.get("unchanged"):
            raise Unchanged()
        text = reply.get("text", "")
        try:
            found = msgspec.json.decode(str(text))
        except msgspec.DecodeError as error:
            raise ProtocolError(hints=[f"the reply holds no records: {error}"]) from error
        return found if isinstance(found, dict) else {}

    def jobs(self, fields: Sequence[str], which: JobFilter | None = None, **more: object) -> Rows:
        """Rows of squeue: texts of `render.fields`; `more` are ListJobs'."""
        return _read(self._channel.call({
            "type": "ListJobs", "fields": list(fields), "filter": msgspec.to_builtins(which or JobFilter()), **more}), Rows)

    def nodes(self, fields: Sequence[str], **more: object) -> list[list[str]]:
        """Rows of sinfo: texts of `render.fields`; `more` are ListNodes'."""
        return _read(self._channel.call({"type": "ListNodes", "fields": list(fields), **more}), Rows).rows

    def text(self, what: str, names: Sequence[str] = (), **more: object) -> str:
        """What `scontrol show` prints; `what` and `more` are Describe's."""
        return _read(self._channel.call({"type": "Describe", "what": what, "names": list(names), **more}), Text).text

    def script(self, job: str) -> str:
        """The script of a batch job; for its owner and administrators."""
        return _read(self._channel.call({"type": "BatchScript", "job_id": job}), Text).text

    def output(self, job: str, stream: str = "stdout", offset: int = 0) -> OutputRead:
        """A piece of what a job's script writes, from byte `offset` of its file on; for its owner and operators."""
        return _decoded(_output, self._channel.exchange({"type": "ReadOutput", "job_id": job, "stream": stream, "offset": offset}))

    def explain(self, job: str, *, priority: bool = False) -> Explanation:
        """Why a job waits or ended as it did; with `priority` also what that is made of."""
        return _read(self._channel.call({"type": "ExplainJob", "job_id": job, "priority": priority}), Explained).explanation

    def will_run(self, request: Message) -> WillRun:
        """When a job would start (--test-only)."""
        return _read(self._channel.call({"type": "TestJob", "request": request}), WillRun)

    def job_records(self, fields: Sequence[str], which: JobFilter, unless: str = "") -> RecordsListed:
        """Some fields of jobs, those of render.feed.JOB. Unchanged where `unless` is still their version."""
        payload = self._channel.exchange({
            "type": "ListRecords", "fields": list(fields), "filter": msgspec.to_builtins(which), "unless": unless})
        found = _decoded(_listed, payload)
        self.version = found.version
        if found.unchanged:
            raise Unchanged()
        return found

    def submit(self, request: Message, payload: Message, key: str = "", components: Sequence[Message] = ()) -> Submitted:
        """Queue a batch job; a second submission with the same `key` is answered with the first one's job. `components`: the others of a
        heterogeneous job."""
        return _read(self._channel.call({
            "type": "SubmitJob", "request": request, "payload": payload, "key": key, "components": list(components)}), Submitted)

    def allocate(self, request: Message, key: str = "", components: Sequence[Message] = ()) -> tuple[int, list[str]]:
        """Ask for an allocation that no connection holds (`no_shell`); its job, which may have to wait, and what is to be said of it."""
        first = self._channel.call({"type": "AllocateJob", "request": request, "key": key, "components": list(components)})
        if first.get("type") == "Pending":
            found = _read(first, Pending)
            return found.job_id, found.notes
        return _read(first, Granted).job_id, []

    def update_job(self, job: str, changes: Mapping[str, str]) -> None:
        """Change what the keys of `scontrol update` name."""
        self._channel.call({"type": "UpdateJob", "ids": job, "changes": dict(changes)})

    def hold(self, job: str, *, user: bool = False) -> None:
        """Keep a pending job from starting; `user`: so that its owner may release it."""
        self._channel.call({"type": "HoldJobs", "ids": [job], "user": user})

    def release(self, job: str) -> None:
        """Let a held job start."""
        self._channel.call({"type": "ReleaseJobs", "ids": [job]})

    def requeue(self, job: str) -> None:
        """Put a batch job back into the queue."""
        self._channel.call({"type": "RequeueJobs", "ids": [job]})

    def cancel(self, which: JobFilter, signal: int = 0, *, batch: bool = False, full: bool = False, hurry: bool = False) -> Cancelled:
        """End jobs, or with `signal` send it to them; what the caller may not touch is in the answer."""
        return _read(self._channel.call({
            "type": "CancelJobs", "filter": msgspec.to_builtins(which), "signal": signal, "batch": batch, "full": full, "hurry": hurry}),
            Cancelled)

    def update_nodes(self, nodes: str, changes: Mapping[str, str]) -> None:
        """Change the nodes of a host list."""
        self._channel.call({"type": "UpdateNode", "nodes": nodes, "changes": dict(changes)})

    def create_nodes(self, changes: Mapping[str, str]) -> None:
        """Make nodes of the keys of a NodeName line, NodeName among them."""
        self._channel.call({"type": "CreateNodes", "changes": dict(changes)})

    def delete_nodes(self, nodes: str) -> None:
        """Take the nodes of a host list out of the cluster."""
        self._channel.call({"type": "DeleteNodes", "nodes": nodes})

    def create_reservation(self, changes: Mapping[str, str]) -> str:
        """Make a reservation of the keys of `scontrol create reservation`; its name."""
        return _read(self._channel.call({"type": "CreateReservation", "changes": dict(changes)}), ReservationMade).name

    def update_reservation(self, name: str, changes: Mapping[str, str]) -> None:
        """Change a reservation."""
        self._channel.call({"type": "UpdateReservation", "name": name, "changes": dict(changes)})

    def delete_reservation(self, name: str) -> None:
        """End a reservation."""
        self._channel.call({"type": "DeleteReservation", "name": name})

    def reconfigure(self) -> list[str]:
        """Have the configuration read again; warnings about it."""
        found = self._channel.call({"type": "Reconfigure"}).get("lines", [])
        return [str(line) for line in found] if isinstance(found, list) else []

    def shares(self, users: Sequence[str] = (), accounts: Sequence[str] = ()) -> SharesListed:
        """Fair shares of associations."""
        return _read(self._channel.call({"type": "ListShares", "users": list(users), "accounts": list(accounts)}), SharesListed)


def _decoded(decode: Callable[[bytes], T | Failure], payload: bytes) -> T:
    try:
        found = decode(payload)
    except msgspec.DecodeError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
    if isinstance(found, Failure):
        raise revive(found.kind, found.name, found.message, found.hints, found.preface)
    return found


def _read(reply: Mapping[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(reply, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error


def connected_by_token(site: Site, token: str, user: str = "") -> tuple[Connection, ActingAs]:
    """A connection to the site's slurmctld that speaks for the user of a token, and who that is as slurmctld says: it alone verifies
    tokens.

    `user`: whom a token of root or SlurmUser shall speak for. By slurmctld's own unix socket where it is on this machine, else by its port,
    where it proves to be the cluster's before the token is told. NotPermitted for a token that is not good.
    """
    if not token:
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["there is no token"])
    sockets = tuple(endpoint for endpoint in site.endpoints if endpoint.is_unix and os.path.exists(endpoint.path))
    if sockets:
        connection = client.reach(site._replace(endpoints=sockets, relays=(), token=""))
    else:
        connection = client.reach(site._replace(token=token))
    try:
        return connection, _read(connection.call({"type": "ActAs", "token": token if sockets else "", "user": user}), ActingAs)
    except BaseException:
        connection.close()
        raise
