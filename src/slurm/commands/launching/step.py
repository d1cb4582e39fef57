"""A granted step: its launch on every node, what the nodes say while it runs, and how it went."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from slurm.commands.launching import redirect
from slurm.commands.launching.controller import Controller
from slurm.commands.launching.endgame import Endgame, Rules
from slurm.commands.launching.ledger import Ending, Ledger, rank_ranges
from slurm.commands.launching.link import Link, Way
from slurm.commands.launching.loop import Loop
from slurm.commands.launching.mpi import Exchange
from slurm.commands.launching.output import Output
from slurm.commands.launching.source import Source
from slurm.commands.launching.voice import Voice
from slurm.net import endpoint
from slurm.wire import step_io

X11_VARIABLE = "SLURM_PY_X11"
"""By it the steps of an allocation learn what --x11 said when that was made."""
_GROUP_SECONDS = 0.1
"""Tasks that end alike within this time share a line."""


class Forwarder(Protocol):
    """Who connects X clients of the nodes with the display here (`x11.Forwarding`)."""

    def launch_fields(self, number: int, nodes: int) -> dict[str, object]: ...
    def take(self, link: Link, payload: bytes) -> None: ...
    def drained(self, link: Link) -> None: ...
    def close(self) -> None: ...


class Plan(NamedTuple):
    """What every node is told, and how srun carries the streams. `launch` holds the fields of LaunchStep that all nodes share."""

    launch: Mapping[str, Any]
    streams: redirect.Streams
    opened: redirect.Opened
    rules: Rules
    programs: Sequence[list[str]] = ()  # --multi-prog: the argument list of each rank
    label: bool = False
    unbuffered: bool = False
    x11: Forwarder | None = None
    no_kill: bool = False  # go on without a node that is lost
    window: Callable[[], tuple[int, int]] | None = None  # of the terminal that task 0 has


class Step:
    """`granted` is the reply StepGranted. `run` returns when no task is left; `ledger.worst` and `broken` say how it went."""

    def __init__(self, loop: Loop, voice: Voice, controller: Controller, granted: Mapping[str, Any], plan: Plan) -> None:
        self.name = f"StepId={granted['job_id']}.{granted['step_id']}"
        self.broken = False
        """Whether something besides a task failed: a launch, a node, a file of srun's."""
        self._loop = loop
        self._voice = voice
        self._controller = controller
        self._job_id = int(granted["job_id"])
        self._ways: Callable[[Link, endpoint.Endpoint, bytes], Way] | None = None
        self._layout: list[dict[str, Any]] = list(granted["layout"])
        self._plan = plan
        self.ledger = Ledger((place.get("place", place["node"]), place["ranks"]) for place in self._layout)
        self.links = [
            Link(loop, place["node"], list(place["ranks"]), self._on_frame, self._on_gone, self._on_failed, place.get("place", ""))
            for place in self._layout]
        self._exchange = Exchange(self.links)
        self.endgame = Endgame(loop, voice, self.name, self.ledger, self.links, plan.rules, self._say_ended)
        self._output = Output(
            plan.opened, len(self.ledger), label=plan.label, unbuffered=plan.unbuffered,
            on_closed=self.endgame.on_output_closed, on_failed=self._on_output_failed)
        stdin = plan.streams.stdin
        rank = int(stdin.remote) if stdin.remote.isdigit() else step_io.ALL_TASKS
        self._source = Source(loop, plan.opened.stdin, self.links, rank)

    def run(self) -> None:
        """Launch, and serve until the last node is done or nothing is waited for any more."""
        self._launch()
        self._source.start()
        if self._plan.x11 is not None:
            for link in self.links:
                link.on_drained = self._drained(link, link.on_drained, self._plan.x11)
        self._loop.run(lambda: self.endgame.abandoned or all(link.gone for link in self.links))
        self._source.stop()
        if self._plan.x11 is not None:
            self._plan.x11.close()
        for name in ("wait", "end", "abort", "group", "job ended"):
            self._loop.cancel(name)
        for link in self.links:
            link.close()
        self._output.flush()
        self._say_ended()
        if self.endgame.terminated:
            self._voice.info(f"Force Terminated {self.name}")

    @staticmethod
    def _drained(link: Link, input_too: Callable[[], None], x11: Forwarder) -> Callable[[], None]:
        def drained() -> None:
            input_too()
            x11.drained(link)

        return drained

    def on_signal(self, number: int) -> None:
        """A signal reached srun while the step runs."""
        if number == signal.SIGWINCH:
            self._send_window()
        else:
            self.endgame.on_signal(number)

    def _launch(self) -> None:
        shared = {"type": "LaunchStep", "ntasks": len(self.ledger), **self._plan.launch}
        for number, (link, place) in enumerate(zip(self.links, self._layout, strict=True)):
            ranks = link.ranks
            tasks = f"{len(ranks)} tasks: {ranks[0] if len(ranks) == 1 else f'[{rank_ranges(ranks)}]'}"
            self._voice.verbose(f"launching {self.name} on host {link.node}, {tasks}")
            own = {"ranks": ranks, "node_rank": number, **place.get("launch", {}),
                **(self._plan.x11.launch_fields(number, len(self.links)) if self._plan.x11 is not None else {})}
            if self._plan.programs:
                own["multi_prog"] = [self._plan.programs[rank] for rank in ranks]
            address = endpoint.beside(str(place.get("beside", ""))) or endpoint.parse(str(place["address"]))
            link.open(address, {**shared, **own}, self._secure)
            if self.broken:
                return

    def _secure(self, link: Link, address: endpoint.Endpoint, launch: bytes) -> Way:
        """The way to a node on another machine. SlurmError when the controller gives us no certificate."""
        from slurm.commands.launching.secured import Ways  # loads ssl, which steps on this machine need not pay for

        if self._ways is None:
            self._ways = Ways(self._loop, self._controller, self._job_id).to
        return self._ways(link, address, launch)

    # --- what nodes say --------------------------------------------------------------------------------------------------

    def _on_frame(self, link: Link, kind: int, rank: int, data: bytes) -> None:
        if kind in (step_io.STDOUT, step_io.STDERR):
            self._output.add(kind, rank, data)
        elif kind == step_io.EXITED:
            self._on_exited(rank, json.loads(data))
        elif kind == step_io.STARTED:
            self._on_started(link)
        elif kind == step_io.DONE:
            link.finished = True
            self._say_ended(link.place)
            link.close()
        elif kind == step_io.NOTICE:
            self._say_ended()
            self._voice.line(data.decode(errors="replace"))
        elif kind == step_io.ABORTED:
            self.endgame.on_aborted(str(json.loads(data).get("why", "")))
        elif kind == step_io.EXCHANGE:
            self._on_exchange(link, data)
        elif kind == step_io.X11 and self._plan.x11 is not None:
            self._plan.x11.take(link, data)
        elif kind == step_io.FAILED:
            failure = json.loads(data)
            self._on_failed(link, str(failure["message"]), [str(hint) for hint in failure.get("hints", ())])

    def _on_exchange(self, link: Link, data: bytes) -> None:
        if data[:1] != step_io.ABORTING:
            self._exchange.take(link, data)
            return
        self.ledger.decided_by(int(json.loads(data[1:])["rank"]))
        self._say_ended()
        self.endgame.on_task_aborted()

    def _on_started(self, link: Link) -> None:
        link.has_started()
        self._voice.verbose(f"Node {link.node}, {self.ledger.started(link.place)} tasks started")
        if link is self.links[0]:
            self._send_window()

    def _on_exited(self, rank: int, news: Mapping[str, Any]) -> None:
        first = not self.ledger.any_ended()
        self.ledger.ended(rank, Ending(int(news["status"]), bool(news.get("oom"))))
        if first:
            self.endgame.on_first_exit()
        if int(news["status"]) and self._plan.rules.kill_on_bad_exit and not self.endgame.terminated:
            self._say_ended()
        elif not self._loop.due("group"):
            self._loop.after(_GROUP_SECONDS, "group", self._say_ended)

    def _on_failed(self, link: Link, message: str, hints: list[str]) -> None:
        self.broken = link.failed = True
        self._voice.error(f"Task launch for {self.name} failed on node {link.node}: {message}")
        for hint in hints:
            self._voice.info(f"hint: {hint}")
        if len(self.links) > 1 and not self.endgame.abandoned:
            self.endgame.abort()
            self.endgame.end("cancelled")

    def _on_gone(self, link: Link) -> None:
        if link.failed or not self.ledger.lost(link.place):
            self._say_ended(link.place)
            return
        self.broken = True
        self._voice.error(f"{link.node}: lost contact with slurmstepd of {self.name}")
        self._say_ended(link.place)
        if not self._plan.no_kill and not all(other.gone for other in self.links):
            self.endgame.abort()
            self.endgame.end("node_fail")

    def _on_output_failed(self, why: str) -> None:
        self.broken = True
        self._voice.error(f"cannot write the output of {self.name}: {why}")

    # --- what srun says --------------------------------------------------------------------------------------------------

    def _say_ended(self, node: str | None = None) -> None:
        for notice in self.ledger.take(node):
            count = f"{len(notice.ranks)} task{'s' if len(notice.ranks) > 1 else ''}"
            status = f"(status=0x{notice.ending.status:04x})"
            self._voice.verbose(f"Received task exit notification for {count} of {self.name} {status}.")
            if notice.ending.status and not self.endgame.expected(notice):
                self._voice.error(notice.text())
            else:
                self._voice.verbose(notice.text())
            self.endgame.on_notice(notice)
        if not self.ledger.unsaid:
            self._loop.cancel("group")

    def _send_window(self) -> None:
        if self._plan.window is not None:
            rows, columns = self._plan.window()
            self.links[0].send(step_io.WINDOW, 0, json.dumps({"rows": rows, "cols": columns}).encode())
