"""sattach: shows what the tasks of a running step say, and gives them what is typed.

The step does not depend on it: it goes on when sattach ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from slurm.commands.launching.controller import Controller
from slurm.commands.launching.link import Link, Way
from slurm.commands.launching.loop import READ, Loop
from slurm.commands.launching.output import Output
from slurm.commands.launching.redirect import Opened
from slurm.commands.launching.signals import ENDING, Signals
from slurm.commands.launching.source import Source
from slurm.commands.launching.terminal import RawTerminal
from slurm.commands.launching.voice import Voice
from slurm.commands.shell import INTERRUPTED, Shell, informed, notes, run
from slurm.model.errors import NotationError, SlurmError, Unsupported
from slurm.net import endpoint
from slurm.notation import exitstatus, hostlist, jobref
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve
from slurm.wire import step_io

_FILTERS = ("input_filter", "output_filter", "error_filter")
_STEPS = {"batch": -5, "extern": -4, "interactive": -6}
_ASK_SECONDS = 10.0
_INTERRUPT = 2
_STOPPING = (_INTERRUPT, 3, *ENDING)


def main(shell: Shell | None = None) -> int:
    """Runs sattach and returns its exit status."""
    return run(shell or Shell.of_process("sattach"), _sattach, usage_code=1)


def _sattach(shell: Shell) -> int:
    resolved = resolve("sattach", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    job, step = _step_of(resolved.rest)
    if resolved.flag("pty") and any(name in resolved.settings for name in _FILTERS):
        raise OptionError("--pty is incompatible with all filtering options.", exit_code=1)
    controller = Controller(shell.environ)
    try:
        found = controller.tell({"type": "FindStep", "job_id": job, "step_id": step}, _ASK_SECONDS)
    except SlurmError as error:
        shell.report(error, "Could not get job step info: ")
        return shell.failure_code(1)
    if resolved.flag("layout"):
        return _show_layout(shell, found)
    _check_filters(resolved, sum(len(place["ranks"]) for place in found["layout"]))
    with Signals() as signals:
        return _Attached(shell, resolved, controller, found).serve(signals)


def _step_of(words: list[str]) -> tuple[str, int]:
    """Job and step of the one word JOB.STEP."""
    if len(words) != 1:
        raise OptionError("One and only one step ID should be given: JOBID.STEPID" if words else "No job step ID given", exit_code=1,
            hints=["squeue -s shows steps"])
    try:
        ref = jobref.parse(words[0])
    except NotationError as error:
        raise OptionError(f"Invalid job step ID {words[0]}", exit_code=1, hints=[error.message]) from error
    if not ref.step or not (ref.step.isdecimal() or ref.step in _STEPS) or (ref.tasks is not None and len(ref.tasks) != 1):
        raise OptionError(f"Invalid job step ID {words[0]}", exit_code=1, hints=["write JOBID.STEPID, such as 12.0; squeue -s shows steps"])
    if ref.step in ("batch", "extern"):
        raise Unsupported(message=f"the {ref.step} step has no streams to attach to",
            hints=["a batch script writes into files: see StdOut in scontrol show job"])
    return words[0].rpartition(".")[0], _STEPS[ref.step] if ref.step in _STEPS else int(ref.step)


def _check_filters(resolved: Resolved, ntasks: int) -> None:
    for name in _FILTERS:
        if name in resolved.settings and resolved.number(name) >= ntasks:
            raise OptionError(f"--{name.replace('_', '-')}: there is no task {resolved.number(name)}", exit_code=1,
                hints=[f"the step has tasks 0 to {ntasks - 1}"])


def _show_layout(shell: Shell, found: Mapping[str, Any]) -> int:
    layout = found["layout"]
    ntasks = sum(len(place["ranks"]) for place in layout)
    shell.stdout.write("Job step layout:\n")
    shell.stdout.write(f"\t{ntasks} tasks, {len(layout)} nodes ({hostlist.compress(place['node'] for place in layout)})\n\n")
    for number, place in enumerate(layout):
        ranks = "".join(f"{rank} " for rank in place["ranks"])
        shell.stdout.write(f"\tNode {number} ({place['node']}), {len(place['ranks'])} task(s): {ranks}\n")
    return 0


class _Attached:
    """The connections to the nodes of a step."""

    def __init__(self, shell: Shell, resolved: Resolved, controller: Controller, found: Mapping[str, Any]) -> None:
        self._shell = shell
        self._voice = Voice("sattach", resolved.number("verbose") - resolved.number("quiet"))
        self._loop = Loop()
        self._controller = controller
        self._found = found
        self._pty = resolved.flag("pty")
        self._only: dict[int, int] = {
            kind: resolved.number(name) for kind, name in ((step_io.STDOUT, "output_filter"), (step_io.STDERR, "error_filter"))
            if name in resolved.settings}
        self._worst = 0
        self._broken = False
        self._stopped_by = 0
        self._ways: Any = None
        self._links = [Link(self._loop, place["node"], list(place["ranks"]), self._on_frame, self._on_gone, self._on_failed)
            for place in found["layout"]]
        ntasks = sum(len(link.ranks) for link in self._links)
        self._output = Output(Opened(0, 1, 2), ntasks, label=resolved.flag("label"), unbuffered=self._pty, on_closed=self._stop,
            on_failed=self._on_output_failed)
        rank = 0 if self._pty else resolved.number("input_filter") if "input_filter" in resolved.settings else step_io.ALL_TASKS
        self._source = Source(self._loop, 0, self._links, rank)

    def serve(self, signals: Signals) -> int:
        """Until the step has ended on every node, or somebody wants sattach to end; its exit status is the highest of the tasks."""
        self._loop.watch(signals.fileno(), READ, lambda _: self._on_signals(signals.take()))
        attach = {"type": "AttachStep", "job": self._found["job_id"], "attempt": self._found["attempt"], "step": self._found["step_id"],
                  "credential": self._found.get("credential", "")}
        for link, place in zip(self._links, self._found["layout"], strict=True):
            address = endpoint.beside(str(place.get("beside", ""))) or endpoint.parse(str(place["address"]))
            link.open(address, attach, self._secure)
        self._source.start()
        with RawTerminal(0) if self._pty and os.isatty(0) else nullcontext():
            self._voice.raw = self._pty and os.isatty(0)
            self._loop.run(lambda: self._stopped_by != 0 or all(link.gone for link in self._links))
            self._voice.raw = False
        self._source.stop()
        for link in self._links:
            link.close()
        self._output.flush()
        if self._stopped_by:
            return INTERRUPTED if self._stopped_by == _INTERRUPT else 128 + self._stopped_by
        return exitstatus.from_wait(self._worst).shell_code() or (self._shell.failure_code(1) if self._broken else 0)

    def _secure(self, link: Link, address: endpoint.Endpoint, launch: bytes) -> Way:
        """The way to a node on another machine. SlurmError when the controller gives us no certificate."""
        from slurm.commands.launching.secured import Ways  # loads ssl, which steps on this machine need not pay for

        if self._ways is None:
            self._ways = Ways(self._loop, self._controller, int(self._found["job_id"])).to
        way: Way = self._ways(link, address, launch)
        return way

    def _on_signals(self, numbers: list[int]) -> None:
        for number in numbers:
            if number in _STOPPING:
                self._stopped_by = number

    def _stop(self) -> None:
        self._stopped_by = self._stopped_by or ENDING[0]

    def _on_frame(self, link: Link, kind: int, rank: int, data: bytes) -> None:
        if kind in (step_io.STDOUT, step_io.STDERR):
            if self._only.get(kind, rank) == rank:
                self._output.add(kind, rank, data)
        elif kind == step_io.STARTED:
            link.has_started()
            self._voice.verbose(f"Node {link.node}, {len(link.ranks)} tasks")
        elif kind == step_io.EXITED:
            self._on_exited(rank, int(json.loads(data)["status"]))
        elif kind == step_io.NOTICE:
            self._voice.line(data.decode(errors="replace"))
        elif kind == step_io.DONE:
            link.finished = True
            link.close()
        elif kind == step_io.FAILED:
            failure = json.loads(data)
            self._on_failed(link, str(failure["message"]), [str(hint) for hint in failure.get("hints", ())])

    def _on_exited(self, rank: int, status: int) -> None:
        self._worst = max(self._worst, status)
        ended = exitstatus.from_wait(status)
        if ended.signal:
            self._voice.error(f"task {rank} killed by signal {ended.signal}")
        elif ended.code:
            self._voice.error(f"task {rank} exited with exit code {ended.code}")
        else:
            self._voice.verbose(f"task {rank} exited with exit code 0")

    def _on_failed(self, link: Link, message: str, hints: list[str]) -> None:
        self._broken = link.failed = True
        self._voice.error(f"cannot attach to node {link.node}: {message}")
        for hint in hints:
            self._voice.info(f"hint: {hint}")
        link.close()

    def _on_gone(self, link: Link) -> None:
        if not link.failed:
            self._broken = True
            self._voice.error(f"{link.node}: lost contact with slurmstepd")

    def _on_output_failed(self, why: str) -> None:
        self._voice.error(f"cannot write the output: {why}")
        self._stop()
