"""`GET /metrics/…`: numbers for Prometheus, for whoever a token or the socket says is asking: slurmctld's, slurmdbd's and slurmrestd's
own."""

from __future__ import annotations

import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slurm.daemon import measures
from slurm.model.errors import NotFound
from slurm.render import metrics_of_daemons, openmetrics
from slurm.slurmrestd.connections import Connections
from slurm.slurmrestd.sources import Sources
from slurm.wire.follow_messages import METRICS

PATH = "/metrics"
DATABASE, OWN = "slurmdbd", "slurmrestd"
KINDS = (*METRICS, DATABASE, OWN)
_METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})


class Counted:
    """An application whose requests are counted by method and status; what streams without end is counted, its time is not."""

    def __init__(self, app: ASGIApp, endless: Iterable[str]) -> None:
        self.requests: dict[tuple[str, str], tuple[int, float]] = {}
        self._app = app
        self._endless = frozenset(endless)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or WebSocket."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, began = str(scope["method"]), time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                key = (method if method in _METHODS else "other", str(message["status"]))
                count, seconds = self.requests.get(key, (0, 0.0))
                took = 0.0 if scope["path"] in self._endless else time.perf_counter() - began
                self.requests[key] = (count + 1, seconds + took)
            await send(message)

        await self._app(scope, receive, sending)


def text(kind: str, opened: Connections, counted: Counted, sources: Sources) -> str:
    """The numbers of one kind. Blocks; SlurmError."""
    if kind in METRICS:
        return opened.cluster.metrics(kind)
    if kind == OWN:
        return openmetrics.text(metrics_of_daemons.slurmrestd(
            dict(counted.requests), sources.listeners, sources.replicas, measures.of_this_process()))
    if kind == DATABASE:
        found = opened.daemon.statistics()
        return openmetrics.text(metrics_of_daemons.slurmdbd(
            found.since, {one.name: (one.count, one.seconds) for one in found.requests},
            {one.name: (one.count, one.seconds) for one in found.rollups}))
    raise NotFound("SLURM_ERROR", f"There are no metrics {kind[:64]!r}", hints=[f"valid: {', '.join(KINDS)}"])
