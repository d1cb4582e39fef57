"""Usage as slurmd sees it: what the configuration wants measured, and what slurmstepds tell.

How it is measured is `stepd.usage`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import msgspec

from slurm.config.config import Config
from slurm.model.accounting import MOST, Extreme, TresUsage, Usage
from slurm.model.errors import ConfigError
from slurm.model.ids import NodeName
from slurm.notation import gather_frequency
from slurm.notation.errors import NotationError
from slurm.slurmd import control
from slurm.slurmd.roster import Roster, StepHere
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.usage import energy, processes
from slurm.slurmd.stepd.usage.reaping import Reaped
from slurm.slurmd.stepd.usage.task import TaskUsage
from slurm.wire import node_messages as n

log = logging.getLogger("slurmd.usage")
READINGS = "gpu_readings"
"""The file in the spool in which readings of GPUs lie (`gpu_meter`)."""
_AT_ONCE = 32
_SECONDS = 1.5
"""So long a slurmstepd has to answer; slurmctld waits a little longer than for all of them."""
_ALL_SECONDS = 2.0
_RAPL = "acct_gather_energy/rapl"


class Gathering(NamedTuple):
    """What is measured here.

    Seconds from one look to the next (0: only at the end of a step); `kind` "" means that nobody looks meanwhile.
    """

    kind: str = ""  # "" | linux | cgroup
    task_seconds: int = 30
    energy_seconds: int = 0
    memory_by: str = processes.RSS
    over_memory_kill: bool = False
    gpus: bool = True
    energy: bool = False

    @property
    def memory_looks(self) -> float:
        """Seconds between looks at the memory of steps that no cgroup limits; 0: nobody looks."""
        return float(self.task_seconds) if self.over_memory_kill else 0.0


class Measured(TypedDict, total=False):
    """The fields of a StepRecord that say what is measured of it."""

    memory_looks: float
    sample_seconds: float
    memory_by: str
    cgroup_usage: bool
    gpu_readings: str
    energy: bool
    energy_seconds: float


def read(config: Config) -> Gathering:
    """What slurm.conf wants measured. ConfigError."""
    text = config.text("JobAcctGatherFrequency")
    try:
        seconds = gather_frequency.parse(text)
    except NotationError as error:
        raise ConfigError(message=f"JobAcctGatherFrequency={text}: no number of seconds", hints=[f"valid: {error.valid}"]) from error
    words = {word.lower() for word in config.words("JobAcctGatherParams")}
    if {"usepss", "noshared"} <= words:
        raise ConfigError(message="JobAcctGatherParams=UsePss,NoShared: one excludes the other", hints=[
            "UsePss counts a fair share of memory that processes share, NoShared none of it"])
    return Gathering(
        kind=config.text("JobAcctGatherType").rpartition("/")[2].replace("none", ""), task_seconds=seconds.get("task", 30),
        energy_seconds=seconds.get("energy", 0),
        memory_by=processes.PSS if "usepss" in words else processes.NO_SHARED if "noshared" in words else processes.RSS,
        over_memory_kill="overmemorykill" in words and "noovermemorykill" not in words, gpus="disablegpuacct" not in words,
        energy=config.text("AcctGatherEnergyType").lower() == _RAPL)


def measured(gathering: Gathering, record: StepRecord, spool: str) -> Measured:
    """What is measured of a step; `sample_seconds` of its record is what was asked for it, negative: nothing."""
    asked = record.sample_seconds
    seconds = gathering.task_seconds if asked < 0 else asked
    return Measured(
        memory_looks=gathering.memory_looks, sample_seconds=float(seconds) if gathering.kind else 0.0, memory_by=gathering.memory_by,
        cgroup_usage=gathering.kind == "cgroup", energy=gathering.energy, energy_seconds=float(gathering.energy_seconds),
        gpu_readings=os.path.join(spool, READINGS) if gathering.kind and gathering.gpus and record.gpus else "")


def missing(gathering: Gathering) -> str:
    """What is to be measured and cannot be on this node, a sentence; "" when nothing is."""
    if gathering.energy and not energy.readable():
        return (f"AcctGatherEnergyType={_RAPL}: no counter below {energy.ROOT} can be read here: the energy of this node's steps is told "
                "as 0")
    return ""


class _Figures(msgspec.Struct):
    """What a slurmstepd tells (stepd.usage.gatherer.Gatherer.usage)."""

    tasks: list[tuple[int, float, float, int, int, int, int, int]]
    step: tuple[float, float] | None = None
    gpus: list[tuple[int, int, int]] | None = None
    energy: int | None = None


class _Short(msgspec.Struct):
    """What it tells of a step that nobody looked at (gatherer.of_short_step)."""

    ended: list[tuple[int, float, float, int, int, int, int]]
    floor: int


def _of_short(told: _Short) -> _Figures:
    tasks: dict[int, TaskUsage] = {}
    for rank, *figures in told.ended:
        task = tasks.get(rank)
        if task is None:
            task = tasks[rank] = TaskUsage(rank, told.floor)
        task.reaped(Reaped(0, *figures))  # type: ignore[arg-type]
    for task in tasks.values():
        task.never_seen_holding(None)
    return _Figures([task.told() for task in tasks.values()])  # type: ignore[misc]


def of(told: Mapping[str, object] | None, node: str) -> Usage | None:
    """What a step used on this node, as its slurmstepd told it; None where it did not, or not so that it can be read."""
    if told is None:
        return None
    try:
        figures = msgspec.convert(told, _Figures) if "ended" not in told else _of_short(msgspec.convert(told, _Short))
    except msgspec.ValidationError as error:
        log.error("what a step used cannot be read, it is told without: %s", error)
        return None
    if not figures.tasks:
        return None
    ranks, user, system, memory, vmem, faults, read, written = zip(*figures.tasks, strict=True)
    given = figures.step or (0.0, 0.0)

    def tres(values: Sequence[int], total: int | None = None) -> TresUsage:
        def extreme(index: int) -> Extreme:
            return Extreme(_within(values[index]), NodeName(node), ranks[index])

        most, least = max(range(len(values)), key=values.__getitem__), min(range(len(values)), key=values.__getitem__)
        return TresUsage(_within(sum(values) if total is None else total), len(values), extreme(most), extreme(least))

    taken = {"cpu": tres([round(1000 * (one + other)) for one, other in zip(user, system, strict=True)]), "mem": tres(memory),
        "vmem": tres(vmem),
             "pages": tres(faults), "fs/disk": tres(read)}
    if figures.gpus:
        held, most, mean = zip(*figures.gpus, strict=True)
        taken["gres/gpumem"], taken["gres/gpuutil"] = tres(held), tres(most, sum(mean))
    if figures.energy is not None:
        taken["energy"] = tres([figures.energy])
    return Usage(round(max(sum(user), given[0]), 3), round(max(sum(system), given[1]), 3), taken, {"fs/disk": tres(written)})


def _within(value: int) -> int:
    """No node tells more than the protocol's bounds allow."""
    return max(0, min(value, MOST))


def _now(node: str, step: StepHere, answer: dict[str, object] | None, *, pids: bool) -> n.StepNow | None:
    """What a slurmstepd answered, as slurmctld is told it."""
    if answer is None or not answer.get("ok"):
        return None
    key = step.key
    try:
        usage = answer["usage"]
        return msgspec.convert({
            "job": key.job, "attempt": key.attempt, "step": key.step, "usage": of(usage, node) if isinstance(usage, dict) else None,
            "memory": answer["memory"],
            "pids": answer["pids"] if pids else []}, n.StepNow)
    except (KeyError, msgspec.ValidationError) as error:
        log.error("what step %s uses cannot be read: %s", key.shown, error)
        return None


async def answer(node: str, order: n.AskUsage, roster: Roster) -> n.UsageTold:
    """What the steps that are asked about use now, as far as they answer in time."""
    wanted = [step for job, attempt, number in order.wanted if (here := roster.find(job, attempt)) is not None
              for step in here.running if number in (n.EVERY_STEP, step.key.step)]
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(step: StepHere) -> n.StepNow | None:
        async with places:
            return _now(node, step, await control.ask(step.path, {"op": "usage"}, _SECONDS), pids=order.pids)

    asked = [asyncio.create_task(ask(step)) for step in wanted[:n.MOST_STEPS]]
    if not asked:
        return n.UsageTold(number=order.number)
    told, late = await asyncio.wait(asked, timeout=_ALL_SECONDS)
    for task in late:
        task.cancel()
    return n.UsageTold(number=order.number, steps=[one for task in told if (one := task.result()) is not None])
