"""Numbers for Prometheus: to callers who are known (by slurmrestd), and to plain HTTP at slurmctld's port where MetricsType allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from slurm.core import rights
from slurm.core.events import Caller
from slurm.daemon import measures
from slurm.model.errors import NotPermitted, SlurmError
from slurm.model.ids import Gid, Uid
from slurm.net.plain_get import Get, Got
from slurm.render import metrics, metrics_of_daemons, openmetrics
from slurm.render.openmetrics import Family
from slurm.render.view import View
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session, user_name
from slurm.wire import follow_messages as f
from slurm.wire.messages import Message, Text

A_JOB, A_NODE = 2.0, 20.0
"""Microseconds that one takes in an answer."""
MICROSECONDS = 8_000
"""What an answer may take of the loop."""
HTTP_SECONDS = 2.0
"""So long an answer to plain HTTP is good for whoever asks the same."""
PATH = "/metrics"
TYPE = "metrics/openmetrics"
_FOLDS: dict[str, Callable[[View], list[Family]]] = {
    "jobs": metrics.jobs, "jobs-users-accts": metrics.of_users_and_accounts, "nodes": metrics.nodes, "partitions": metrics.partitions}
_SHOWN = {
    "jobs": (rights.JOBS,), "jobs-users-accts": (rights.JOBS, rights.USERS, rights.ACCOUNTS), "nodes": (rights.NODES,),
    "partitions": (rights.PARTITIONS, rights.NODES, rights.JOBS)}
"""What a kind of numbers shows, in words of PrivateData."""


async def on_read_metrics(ctl: Controller, session: Session, message: f.ReadMetrics) -> Message | bytes:
    """The numbers of one kind, for whoever may see what they sum up."""
    _require(ctl, session.caller, message.what)
    work, cost = _work(ctl, message.what)
    return await ctl.looked_beside(lambda: Text(text=work()), cost > MICROSECONDS, session)


def _require(ctl: Controller, caller: Caller, kind: str) -> None:
    """NotPermitted unless the caller may have these numbers: MetricsAuthUsers, else PrivateData, says who."""
    named = ctl.config.words("MetricsAuthUsers")
    if rights.is_operator(ctl.cluster, caller) or caller.user in named:
        return
    if named:
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["MetricsAuthUsers says who may read metrics"])
    if "ignore_private_data" not in ctl.config.words("MetricsParameters"):
        rights.require_public(ctl.cluster, caller, *_SHOWN.get(kind, ()))


def _work(ctl: Controller, kind: str) -> tuple[Callable[[], str], float]:
    """What makes the text, and about how many microseconds that takes."""
    if kind in _FOLDS:
        view, fold = ctl.view(), _FOLDS[kind]
        cost = A_JOB * len(ctl.cluster.jobs) * (kind != "nodes") + A_NODE * len(ctl.cluster.nodes) * (kind in ("nodes", "partitions"))
        return lambda: openmetrics.text(fold(view)), cost
    counted = ctl.counters.read(orders=ctl.links.orders_waiting, records=ctl.accounting.waiting if ctl.accounting is not None else 0,
        looking=ctl.planner.looking)
    if kind == "scheduler":
        return lambda: openmetrics.text(metrics_of_daemons.scheduler(counted)), 0.0
    facts = {
        **measures.of_this_process(), "journal_sequence": float(ctl.engine.seq), "journal_stalled": float(bool(ctl.engine.stalled)),
        "connected_nodes": float(sum(node.responding for node in ctl.cluster.nodes.values())), "followers": float(len(ctl.followers)),
        "watched_jobs": float(len(ctl.watchers))}
    return lambda: openmetrics.text(metrics_of_daemons.slurmctld(counted, facts)), 0.0


class PlainMetrics:
    """GET /metrics/… at slurmctld's port, as Slurm 25.11 has it."""

    def __init__(self, ctl: Controller) -> None:
        self._ctl = ctl
        self._answers: dict[str, tuple[float, asyncio.Future[str]]] = {}

    async def on_get(self, request: Get) -> Got:
        """The answer: who may have it is looked at each time, what it is now and then."""
        path = request.path.rstrip("/")
        kind = path.removeprefix(f"{PATH}/")
        if path != PATH and (kind == path or kind not in f.METRICS):
            return Got(404, f"there is nothing here; {PATH} lists what there is\n")
        try:
            self._require(request, kind)
        except NotPermitted as error:
            status = 401 if error.name == "SLURM_AUTHENTICATION_ERROR" else 403
            return Got(status, "\n".join([*error.lines(), ""]))
        if path == PATH:
            return Got(200, "".join(f"{PATH}/{one}\n" for one in f.METRICS))
        try:
            text = await self._text(kind)
        except (RuntimeError, TimeoutError, SlurmError):
            return Got(503, "slurmctld has no time for it\n")
        wanted = "application/openmetrics-text" in request.headers.get("accept", "")
        return Got(200, text, openmetrics.CONTENT_TYPE if wanted else openmetrics.PLAIN_TYPE)

    def _require(self, request: Get, kind: str) -> None:
        ctl = self._ctl
        token = request.headers.get("x-slurm-user-token", "") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if token:
            if ctl.tokens is None:
                raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["tokens are not taken here: AuthAltTypes has no auth/jwt"])
            identity = ctl.tokens.verify(token)
            caller = Caller(uid=Uid(identity.uid), gid=Gid(identity.gid), user=user_name(identity.uid))
            _require(ctl, caller, kind)
        elif ctl.config.words("MetricsAuthUsers") or (
                ctl.cluster.settings.private_data and "ignore_private_data" not in ctl.config.words("MetricsParameters")):
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["X-SLURM-USER-TOKEN or Authorization: Bearer brings a token"])

    async def _text(self, kind: str) -> str:
        loop = asyncio.get_running_loop()
        made, answer = self._answers.get(kind, (0.0, None))
        if answer is None or (answer.done() and (answer.cancelled() or answer.exception() is not None
                or loop.time() - made > HTTP_SECONDS)):
            answer = asyncio.ensure_future(self._made(kind))
            self._answers[kind] = loop.time(), answer
        return await asyncio.shield(answer)

    async def _made(self, kind: str) -> str:
        work, cost = _work(self._ctl, kind)
        if cost <= MICROSECONDS:
            return work()
        return (await self._ctl.beside.run(lambda: work().encode(), "metrics")).decode()
