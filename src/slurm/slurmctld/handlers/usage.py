"""What running steps use, for sstat, scontrol listpids and slurm top: of one's own jobs, for operators of anybody's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from slurm.core import rights, steps, tres
from slurm.model.accounting import Usage
from slurm.model.errors import InvalidRequest, NotFound, NotPermitted, SlurmError
from slurm.model.ids import NodeName, step_name
from slurm.model.job import Allocation, Job
from slurm.model.states import JobState
from slurm.notation import hostlist, jobref, sluid
from slurm.notation.errors import NotationError
from slurm.render.step_values import JobStep, running_steps
from slurm.slurmctld import portions
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.live_usage import Wanted
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import node_messages as n

MOST_STEPS = 10_000
"""So many steps are answered for at once."""
MOST_PLACES = 50_000
"""So many steps times nodes."""
_Answers = dict[tuple[NodeName, int, int], n.StepNow]


class _Meant:
    """The steps that a request means, each with the nodes on which it is looked at, and what the request may not have."""

    def __init__(self, nodes: Collection[NodeName]) -> None:
        self.steps: dict[str, tuple[JobStep, list[NodeName]]] = {}
        self.refused: list[tuple[str, str, str]] = []
        self._nodes = nodes
        self._places = 0

    def take(self, found: Iterable[JobStep]) -> None:
        """Some more steps; InvalidRequest when they become too many."""
        for entry in found:
            where = _places(entry, self._nodes)
            if not where or entry.shown in self.steps:
                continue
            self.steps[entry.shown] = entry, where
            self._places += len(where)
            if len(self.steps) > MOST_STEPS or self._places > MOST_PLACES:
                raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[
                    f"more than {len(self.steps) - 1:,} running steps are too many for one answer: name fewer jobs"])


async def on_find(ctl: Controller, session: Session, message: m.FindUsage) -> m.UsageFound:
    """Ask the nodes of the running steps that are meant."""
    breath = portions.Breath()
    nodes = _known(ctl, message.nodes)
    meant = _Meant(nodes)
    for found in _found(ctl, session, message, nodes, meant.refused):
        meant.take(found)
        await breath.taken()
    wanted: dict[NodeName, list[Wanted]] = {}
    for entry, where in meant.steps.values():
        for node in where:
            wanted.setdefault(node, []).append((entry.job.id, entry.job.attempt, entry.step.id))
        await breath.taken()
    told = await ctl.links.usage.ask(wanted, pids=message.pids, uid=session.caller.uid, first=ctl.goes_first(session))
    answers: _Answers = {}
    for node, steps_now in told.steps.items():
        answers.update(((node, step.job, step.step), step) for step in steps_now)
        await breath.taken()
    shown: list[m.RunningStep] = []
    for entry, where in meant.steps.values():
        shown.append(_running(ctl, entry, where, answers))
        await breath.taken()
    return m.UsageFound(steps=shown, refused=meant.refused)


def _found(
        ctl: Controller, session: Session, message: m.FindUsage, nodes: Collection[NodeName],
        refused: list[tuple[str, str, str]]) -> Iterator[Sequence[JobStep]]:
    """The running steps that are meant, some at a time; what may not be asked for goes into `refused`."""
    if not message.ids:
        for job in _running_jobs(ctl, nodes):
            if _may_see(ctl, session, job):
                yield running_steps(job)
        return
    for text in dict.fromkeys(message.ids):
        try:
            yield _named(ctl, session, text)
        except SlurmError as error:
            refused.append((text, error.name, error.message))
            yield ()


def _known(ctl: Controller, names: Collection[str]) -> frozenset[NodeName]:
    """The nodes of these names, or on the machines of these names; NotFound when there is none."""
    wanted = frozenset(names)
    found = frozenset(node.name for node in ctl.cluster.nodes.values() if node.name in wanted
        or node.hostname in wanted) if wanted else frozenset[NodeName]()
    if wanted and not found:
        raise NotFound("ESLURM_INVALID_NODE_NAME", hints=[
            f"no node of the cluster is called {', '.join(sorted(wanted))}, nor runs on a machine of that name"])
    return found


def _running_jobs(ctl: Controller, nodes: Collection[NodeName]) -> Iterator[Job]:
    """Those that run, on these nodes if there are any."""
    cluster = ctl.cluster
    ids = sorted({job for name in nodes or cluster.nodes for job in cluster.nodes[name].jobs})
    return (job for number in ids if (job := cluster.jobs.get(number)) is not None and job.state in (
        JobState.RUNNING, JobState.SUSPENDED))


def _may_see(ctl: Controller, session: Session, job: Job) -> bool:
    return rights.may_touch(ctl.cluster, session.caller, job)


def _named(ctl: Controller, session: Session, text: str) -> list[JobStep]:
    """The running steps of "12", "12_3", "12.0"; NotFound, NotPermitted."""
    try:
        ref = jobref.parse(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error
    jobs = ctl.cluster.tasks_of(ref.job) if ref.tasks is None else [job for job in ctl.cluster.tasks_of(ref.job)
        if job.array_task is not None and job.array_task in ref.tasks]
    if not jobs:
        raise NotFound("ESLURM_INVALID_JOB_ID")
    if not any(_may_see(ctl, session, job) for job in jobs):
        raise NotPermitted("ESLURM_ACCESS_DENIED")
    found = [entry for job in jobs if job.state in (JobState.RUNNING, JobState.SUSPENDED) for entry in running_steps(job)]
    if not found:
        raise NotFound("ESLURM_ALREADY_DONE") if all(job.state.finished for job in jobs) else NotFound("ESLURM_JOB_PENDING")
    if not ref.step:
        return found
    named = [entry for entry in found if step_name(entry.step.id) == ref.step]
    if not named:
        raise NotFound("ESLURM_INVALID_JOB_ID", message="Invalid job/step specified")
    return named


def _places(entry: JobStep, nodes: Collection[NodeName]) -> list[NodeName]:
    """The nodes on which a step runs and that are asked about."""
    left = [share.node for share in entry.step.shares if not entry.step.nodes_left or share.node in entry.step.nodes_left]
    return [node for node in left if not nodes or node in nodes]


def _running(ctl: Controller, entry: JobStep, places: list[NodeName], answers: _Answers) -> m.RunningStep:
    job, step = entry.job, entry.step
    usage: Usage | None = None
    memory = 0
    pids: list[m.StepProcess] = []
    silent = []
    allocated = tres.held(ctl.cluster, Allocation(step.shares, job.partition))
    del allocated["billing"]  # jobs are billed, not steps
    ranks = dict(zip(step.nodes, steps.ranks(step), strict=True))
    for node in places:
        now = answers.get((node, job.id, step.id))
        if now is None or now.attempt != job.attempt:
            silent.append(node)
            continue
        memory += now.memory
        if now.usage is not None:
            usage = now.usage if usage is None else usage.plus(now.usage)
        pids += [m.StepProcess(node, pid, task, ranks[node].index(task) if task in ranks[node] else -1) for pid, task in now.pids]
    return m.RunningStep(
        job_id=job.id, step=entry.shown, nodes=hostlist.compress(step.nodes), ntasks=step.ntasks, usage=usage, memory=memory,
        allocated=allocated, pids=pids,
        job_memory=job.allocation.memory if job.allocation is not None else 0, silent=hostlist.compress(silent),
        sluid=sluid.show(job.submit_time, job.id))
