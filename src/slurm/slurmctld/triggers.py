"""Triggers at work: what happens is seen here, and their programs are run as who set them. A program that ran when slurmctld ended is run
again.

Changes of nodes are seen with the event that makes them and told once a second, so that nodes that go together are told together.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import shlex
from collections.abc import Callable, Iterable

from slurm.core.cluster import Cluster
from slurm.core.events import (
    Configured,
    Event,
    NodeFenced,
    NodeLost,
    NodeRegistered,
    NodeUpdated,
    TriggerDone,
    TriggerPulled,
    TriggersCleared,
)
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import NodeState
from slurm.model.trigger import JOB, NODE, SLURMCTLD, SLURMDBD, Pull, Trigger
from slurm.notation import hostlist
from slurm.plugins import bounded
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.scripts import outcome

log = logging.getLogger("slurmctld.triggers")
PROGRAM_SECONDS = 300.0
"""A program that takes longer is ended. Source: strigger(1)."""
_AT_ONCE = 20
_OF_USERS = 16
_OF_A_USER = 2
"""Programs that run at the same time: all, those of others than root and SlurmUser, and those of one of these."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_END_SECONDS = 10.0
_OWN = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
"""What Python needs to find this package, where it needs anything."""
_CHANGING = (NodeLost, NodeUpdated, NodeRegistered, NodeFenced)


class Triggers:
    """Looks at `engine.cluster`: `noticed` with each event, `look` every second or so; `slurmdbd_up` None where there is none."""

    def __init__(self, engine: Engine, now: Callable[[], float], slurmdbd_up: Callable[[], bool | None]) -> None:
        self.conf_path = ""
        self._engine = engine
        self._now = now
        self._slurmdbd_up = slurmdbd_up
        # what it means that slurmctld has begun
        self.began: tuple[str, ...] = ("primary_slurmctld_resumed_operation", "primary_slurmctld_resumed_control")
        self._was_up: bool | None = None
        self._known: dict[NodeName, frozenset[str]] = {}
        self._watches = False  # whether `_known` is kept
        self._changed: dict[str, set[NodeName]] = {}
        self._happened: dict[str, None] = {}  # what concerns no node or job
        self._running: dict[int, int] = {}  # trigger → whose
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def started(self) -> None:
        """slurmctld has begun."""
        if self._engine.cluster.triggers:
            self._happened.update(dict.fromkeys(self.began))

    def happened(self, what: str) -> None:
        """Something happened to a slurmctld that stands by."""
        if self._engine.cluster.triggers:
            self._happened[what] = None

    def noticed(self, event: Event | None) -> None:
        """Something changed."""
        cluster = self._engine.cluster
        if not cluster.triggers:
            return
        if isinstance(event, Configured):
            self._happened["reconfig"] = None
        elif isinstance(event, _CHANGING) and self._watches:
            self._compare([NodeName(event.node)])

    async def close(self) -> None:
        """Stop: programs that run are ended, and run again after the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self) -> None:
        """Pull what is to be pulled, run what is due."""
        cluster, now = self._engine.cluster, self._now()
        if not cluster.triggers:
            self._watches = False
            self._happened.clear()
            return
        self._look_at_nodes(cluster)
        self._look_at_slurmdbd()
        events: list[Event] = []
        for trigger in cluster.triggers.values():
            if trigger.pulled and not trigger.permanent:
                continue
            if (pull := self._pull(cluster, trigger, now)) is not None:
                events.append(TriggerPulled(at=now, trigger=trigger.id, pull=pull))
            elif _is_moot(cluster, trigger):
                events.append(TriggersCleared(at=now, triggers=[trigger.id]))
        self._changed, self._happened = {}, {}
        if events:
            self._engine.record(*events)
        for trigger in list(cluster.triggers.values()):
            if trigger.pulled and trigger.pulled[0].moment <= now and trigger.id not in self._running and self._may_begin(trigger):
                self._begin(trigger)

    def _may_begin(self, trigger: Trigger) -> bool:
        """Whether there is a place: nobody holds those of others."""
        users = [uid for uid in self._running.values() if uid not in (0, os.geteuid())]
        if trigger.uid not in (0, os.geteuid()) and (len(users) >= _OF_USERS or users.count(trigger.uid) >= _OF_A_USER):
            return False
        return len(self._running) < _AT_ONCE

    # --- what happens ----------------------------------------------------------------------------------------------------

    def _look_at_nodes(self, cluster: Cluster) -> None:
        wanted = any(trigger.kind in (NODE, JOB) and trigger.what not in ("fini", "time", "reconfig", "idle")
            for trigger in cluster.triggers.values())
        if wanted and not self._watches:
            self._known = {name: _facts(node) for name, node in cluster.nodes.items()}
        elif wanted:
            self._compare(cluster.nodes)
        self._watches = wanted

    def _compare(self, names: Iterable[NodeName]) -> None:
        for name in names:
            node = self._engine.cluster.nodes.get(name)
            if node is None:
                continue
            now, before = _facts(node), self._known.get(name, frozenset())
            if now != before:
                self._known[name] = now
                words = [*(now - before), *(["up"] if "down" in before - now else []), *(["resume"] if "drain" in before - now else [])]
                for word in words:
                    self._changed.setdefault(word, set()).add(name)

    def _look_at_slurmdbd(self) -> None:
        up, before = self._slurmdbd_up(), self._was_up
        self._was_up = up
        if before is not None and up is not None and up != before:
            self._happened["primary_slurmdbd_resumed_operation" if up else "primary_slurmdbd_failure"] = None

    def _pull(self, cluster: Cluster, trigger: Trigger, now: float) -> Pull | None:
        """What its program is to be run with, when what it waits for has happened."""
        later = now + max(0, trigger.offset)
        if trigger.kind in (SLURMCTLD, SLURMDBD):
            return Pull(trigger.kind, later) if trigger.what in self._happened else None
        if trigger.what == "reconfig":
            return Pull("*", later) if "reconfig" in self._happened else None
        if trigger.what in ("fini", "time"):
            return _of_job(cluster, trigger, now)
        if trigger.what == "idle":
            found = [name for name in _nodes_of(cluster, trigger) if _is_idle(cluster.nodes[name], now - max(0, trigger.offset))]
            return Pull(hostlist.compress(found), now) if found and not trigger.pulled else None
        changed = self._changed.get(trigger.what)
        found = sorted(changed & _nodes_of(cluster, trigger)) if changed else []
        return Pull(hostlist.compress(found), later) if found else None

    # --- programs --------------------------------------------------------------------------------------------------------

    def _begin(self, trigger: Trigger) -> None:
        self._running[trigger.id] = trigger.uid
        task = self._tasks[trigger.id] = asyncio.get_running_loop().create_task(self._run(trigger, trigger.pulled[0]))
        task.add_done_callback(lambda done: self._finished(trigger.id, done))

    def _finished(self, number: int, task: asyncio.Task[None]) -> None:
        del self._running[number], self._tasks[number]
        if not task.cancelled() and task.exception() is not None:
            log.error("trigger %s failed", number, exc_info=task.exception())

    async def _run(self, trigger: Trigger, pull: Pull) -> None:
        if os.geteuid() not in (0, trigger.uid):
            log.error("trigger %d of uid %d is dropped: slurmctld runs as uid %d now, and runs programs of that user only", trigger.id,
                trigger.uid, os.geteuid())
            await self._engine.record(TriggersCleared(at=self._now(), triggers=[trigger.id]))
            return
        program, *words = shlex.split(trigger.program)
        environment = {"PATH": _PATH, "SLURM_CONF": self.conf_path, "SLURM_CLUSTER_NAME": self._engine.cluster.settings.cluster_name,
            "USER": trigger.user, "LOGNAME": trigger.user,
                       "HOME": _home(trigger.uid)}
        log.info("trigger %d (%s %s): %s is run as %s with %s", trigger.id, trigger.kind, trigger.what, program, trigger.user,
            pull.argument)
        words = [*words, pull.argument]
        if trigger.uid in (0, os.geteuid()):
            failure = await outcome(program, environment, PROGRAM_SECONDS, words=words)
        else:
            owner = trigger.uid, trigger.gid, os.getgrouplist(trigger.user, trigger.gid)
            called, *before = bounded.command(owner, PROGRAM_SECONDS)
            failure = await outcome(called, {**environment, **_OWN}, PROGRAM_SECONDS + _END_SECONDS, words=[*before, program, *words],
                                    gently=_END_SECONDS)
        if failure:
            log.error("trigger %d: %s failed: %s", trigger.id, program, failure)
        await self._engine.record(TriggerDone(at=self._now(), trigger=trigger.id))


def _home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"


def _facts(node: Node) -> frozenset[str]:
    facts = {"down"} if node.state is NodeState.DOWN else set()
    if node.drain:
        facts |= {"drain", "draining" if node.jobs or node.completing else "drained"}
    return frozenset(facts)


def _is_idle(node: Node, since: float) -> bool:
    return node.usable and not node.jobs and not node.completing and node.last_busy_time <= since


def _nodes_of(cluster: Cluster, trigger: Trigger) -> set[NodeName]:
    """The nodes that it looks at."""
    if trigger.kind == JOB:
        job = cluster.jobs.get(trigger.job)
        return set(job.holding.nodes) if job is not None and job.holding is not None else set()
    if trigger.nodes == "*":
        return set(cluster.nodes)
    return {NodeName(name) for name in hostlist.expand(trigger.nodes)} & cluster.nodes.keys()


def _over(job: Job | None) -> bool:
    return job is None or (job.state.finished and not job.completing)


def _of_job(cluster: Cluster, trigger: Trigger, now: float) -> Pull | None:
    job = cluster.jobs.get(JobId(trigger.job))
    if trigger.what == "fini":
        return Pull(str(trigger.job), now + max(0, trigger.offset)) if _over(job) and not trigger.pulled else None
    end = cluster.expected_end(job) if job is not None else None
    return Pull(str(trigger.job), now) if end is not None and now >= end + trigger.offset and not trigger.pulled else None


def _is_moot(cluster: Cluster, trigger: Trigger) -> bool:
    """Whether its job is over, so that what it waits for cannot happen any more."""
    return trigger.kind == JOB and not trigger.pulled and _over(cluster.jobs.get(trigger.job)) and trigger.what != "fini"
