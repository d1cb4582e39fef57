"""Power at work: what is due of nodes (`core.nodes.saving`) is recorded, and SuspendProgram, ResumeProgram, ResumeFailProgram and
RebootProgram are run.

A program that failed is said in the log; what becomes of its nodes is decided by ResumeTimeout and SuspendTimeout. A node counts as empty
once SuspendProgram has said, by exit status 0, that it switched it off.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from slurm.core import events as e
from slurm.core.nodes import readiness, saving
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import Power
from slurm.notation import hostlist
from slurm.slurmctld.engine import Engine

log = logging.getLogger("slurmctld.power")
MINUTE = 60.0
_SHOWN_BYTES = 400
_LONGEST_HOSTS = 100_000
"""Bytes of nodes' names that a program is run with; Linux takes no argument of 128 KiB. For more nodes it is run several times."""
_PATH = f"{os.path.dirname(sys.executable)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The commands that belong to this slurmctld come first."""


class Programs(NamedTuple):
    """Paths, "" for none. `reboot` is run here only with SlurmctldParameters=reboot_from_controller, else by each node's slurmd."""

    suspend: str = ""
    resume: str = ""
    resume_fail: str = ""
    reboot: str = ""


class Rate:
    """So many nodes a minute at most; 0: as many as there are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: list[tuple[float, int]] = []

    def left(self, most: int) -> int | None:
        """How many more may begin now, None for any number."""
        if most <= 0:
            return None
        since = self._clock() - MINUTE
        self._begun = [(moment, count) for moment, count in self._begun if moment > since]
        return max(0, most - sum(count for _, count in self._begun))

    def took(self, count: int) -> None:
        """So many have begun now."""
        if count:
            self._begun.append((self._clock(), count))


class PowerSaving:
    """Looks at `engine.cluster`: `look` every second. `reboot` tells a node's slurmd to start its machine anew."""

    def __init__(self, engine: Engine, now: Callable[[], float], reboot: Callable[[NodeName], bool],
                 planned: Callable[[], Collection[NodeName]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.programs = Programs()
        self.conf_path = ""
        self._engine = engine
        self._now = now
        self._reboot = reboot
        self._planned = planned
        self._plan: saving.Plan | None = None
        self._planned_for: object = None
        self._off: set[NodeName] = set()  # SuspendProgram said that it switched them off
        self._downs: dict[NodeName, object] = {}  # which run of SuspendProgram was the last for a node, until that comes up again
        self._down, self._up = Rate(clock), Rate(clock)
        self._tasks: set[asyncio.Task[None]] = set()

    def started(self) -> None:
        """slurmctld has begun: programs of nodes that were on their way when it ended are run again, they may not have been, and what
        they said is not known any more. So too of nodes that are off and whose jobs wait for a proof of that."""
        nodes = self._engine.cluster.nodes
        self._suspend([name for name, node in nodes.items() if node.power is Power.GOING_DOWN
                       or (node.power is Power.OFF and node.power_asked != "up" and (node.jobs or node.remains))])
        self._resume([name for name, node in nodes.items() if node.power is Power.COMING_UP])

    def look(self) -> None:
        """Record what is due, and have it done once it is on disk."""
        cluster, settings = self._engine.cluster, self._engine.cluster.settings
        if saving.is_idle(cluster):
            return
        key = (settings, cluster.generation, len(cluster.nodes))
        if self._plan is None or self._planned_for != key:
            self._plan, self._planned_for = saving.plan(cluster), key
        reserved = {name for of in cluster.reservations.values() if of.begun for name in of.nodes} if settings.suspend_exc_states else set()
        planned = self._planned() if settings.suspend_exc_states else ()
        events = saving.due(
            cluster, self._plan, self._now(), proven=self._off, most_down=self._down.left(settings.suspend_rate),
            most_up=self._up.left(settings.resume_rate), planned=planned, reserved=reserved)
        if not events:
            return
        down = [one.node for one in events if isinstance(one, e.PowerChanged) and one.power is Power.GOING_DOWN]
        up = [one.node for one in events if isinstance(one, e.PowerChanged) and one.power is Power.COMING_UP]
        failed = [one.node for one in events if isinstance(one, e.ResumeFailed)]
        anew = [one.node for one in events if isinstance(one, e.RebootIssued)]
        self._down.took(len(down))
        self._up.took(len(up))
        self._off -= {*up, *down}
        self._engine.record(*events).add_done_callback(lambda done: None if done.cancelled() else self._act(down, up, failed, anew))

    def noticed(self, event: e.Event | None) -> None:
        """A node that registers was not switched off, or is on again: whatever SuspendProgram said, its jobs may run."""
        if isinstance(event, e.NodeRegistered):
            self._off.discard(event.node)

    def close(self) -> None:
        """Stop waiting for programs; those that run go on."""
        for task in self._tasks:
            task.cancel()

    def _act(self, down: Sequence[NodeName], up: Sequence[NodeName], failed: Sequence[NodeName], anew: Sequence[NodeName]) -> None:
        self._suspend(down)
        self._resume(up)
        if failed:
            log.error("%s did not come up in time", hostlist.compress(failed))
            for some in pieces(failed):
                self._begin("ResumeFailProgram", self.programs.resume_fail, some)
        for some in pieces(anew) if self.programs.reboot else ():
            self._begin("RebootProgram", self.programs.reboot, some)
        for name in anew if not self.programs.reboot else ():
            if not self._reboot(name):
                log.error("%s cannot be told to start anew: its slurmd is not connected", name)

    def _suspend(self, names: Sequence[NodeName]) -> None:
        for some in pieces(names):
            this = object()
            self._downs.update(dict.fromkeys(some, this))
            self._begin("SuspendProgram", self.programs.suspend, some, partial(self._are_off, some, this))

    def _are_off(self, names: Sequence[NodeName], run: object) -> None:
        """What a run of SuspendProgram says; of a node that came up, or was to go down again, since it began, it says nothing any more."""
        self._off.update(name for name in names if self._downs.get(name) is run)

    def _resume(self, names: Sequence[NodeName]) -> None:
        for name in names:
            self._downs.pop(name, None)
        for some in pieces(names):
            self._begin("ResumeProgram", self.programs.resume, some, file=self._told(some))

    def _begin(self, kind: str, program: str, names: Sequence[NodeName], then: Callable[[], None] | None = None,
               file: Mapping[str, object] | None = None) -> None:
        if not program:
            if kind != "ResumeFailProgram":
                log.error("%s is not configured: nothing is done for %s", kind, hostlist.compress(names))
            return
        task = asyncio.get_running_loop().create_task(self._run(kind, program, names, then, file))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a program for nodes failed", exc_info=task.exception())

    async def _run(self, kind: str, program: str, names: Sequence[NodeName], then: Callable[[], None] | None,
                   file: Mapping[str, object] | None) -> None:
        hosts, cluster = hostlist.compress(names), self._engine.cluster
        environment = {"PATH": _PATH, "SLURM_CONF": self.conf_path, "SLURM_CLUSTER_NAME": cluster.settings.cluster_name}
        path = self._written(file) if file is not None else ""
        if path:
            environment["SLURM_RESUME_FILE"] = path
        log.info("%s %s is run for %s", kind, program, hosts)
        try:
            seconds = float(max(cluster.settings.suspend_timeout, cluster.settings.resume_timeout, 60))
            failure = await _outcome(program, hosts, environment, seconds)
        finally:
            if path:
                with contextlib.suppress(FileNotFoundError):  # the program may have removed it
                    os.unlink(path)
        if failure:
            log.error("%s %s for %s: %s", kind, program, hosts, failure)
        elif then is not None:
            then()

    def _written(self, told: Mapping[str, object]) -> str:
        """A file of this process's user with this as JSON; "" where none can be written: machines are started all the same."""
        path = ""
        try:
            number, path = tempfile.mkstemp(prefix="slurm_resume_", suffix=".json")
            with os.fdopen(number, "w") as file:
                json.dump(told, file)
        except OSError as error:
            log.error("SLURM_RESUME_FILE cannot be written, ResumeProgram is run without it: %s", error)
            if path:
                os.unlink(path)
            return ""
        return path

    def _told(self, names: Sequence[NodeName]) -> Mapping[str, object]:
        """What SLURM_RESUME_FILE says: which jobs wait for which of these nodes."""
        cluster, wanted = self._engine.cluster, set(names)
        jobs = {job_id: cluster.jobs[job_id] for name in names if name in cluster.nodes for job_id in sorted(cluster.nodes[name].jobs)}
        return {
            "all_nodes_resume": hostlist.compress(names),
            "jobs": [_of_job(job, [name for name in job.nodes_left if name in wanted]) for job in jobs.values()
            if readiness.is_booting(job)]}


def _of_job(job: Job, names: Sequence[NodeName]) -> Mapping[str, object]:
    request = job.request
    return {
        "extra": request.extra or None, "job_id": job.id, "features": request.features or None,
        "nodes_alloc": hostlist.compress(job.nodes_left), "nodes_resume": hostlist.compress(names),
        "oversubscribe": "NO" if request.exclusive else "OK", "partition": job.partition, "reservation": request.reservation or None}


def pieces(names: Sequence[NodeName]) -> Iterator[Sequence[NodeName]]:
    """The nodes, as many at a time as a program can be told of."""
    if sum(map(len, names)) + len(names) <= _LONGEST_HOSTS or len(hostlist.compress(names)) <= _LONGEST_HOSTS:
        yield from [names] if names else []
        return
    yield from pieces(names[:len(names) // 2])
    yield from pieces(names[len(names) // 2:])


async def _outcome(program: str, hosts: str, environment: Mapping[str, str], seconds: float) -> str:
    """Run a program in a session of its own; "" when it succeeded, else why not. One that takes longer goes on, and is no success.

    What it left running, a machine's slurmd in a test, is none of ours: its output goes to a file, which nobody waits for.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                program, hosts, env=dict(environment), cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True)
        except OSError as error:
            return f"it cannot be run: {error.strerror}"
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            return f"it is not over after {seconds:.0f} s, and goes on"
        if not code:
            return ""
        said.seek(max(0, said.seek(0, os.SEEK_END) - _SHOWN_BYTES))
        words = said.read().decode(errors="replace").strip()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"{how}: {words or 'it said nothing'}"
