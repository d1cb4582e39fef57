"""The roster: which steps of which attempts are on this node, and what follows when one begins or ends. Memory only, no input or output.

The truth behind it is the step folders; `reattach` rebuilds it from them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from slurm.model.ids import SCRIPTS_STEP
from slurm.slurmd.stepd.folder import BATCH, Ended, StepKey, StepRecord
from slurm.wire.node_messages import Holding

_REMEMBERED = 20_000


class StepHere:
    """A step on this node; `begun` once its slurmstepd was forked; `ended` is set once it has ended, its folder stays until that is
    acknowledged."""

    def __init__(self, key: StepKey, path: str) -> None:
        self.key = key
        self.path = path
        self.begun = False
        self.pid = 0  # of its slurmstepd, where it is known
        self.record: StepRecord | None = None  # what it was begun with, as far as it is of use once its folder is gone
        self.ended: Ended | None = None

    @property
    def lease(self) -> int:
        """The lease with which it was begun; 0 for none."""
        return self.record.lease if self.record is not None else 0


class JobHere:
    """An attempt of a job on this node. `over`: no step of it may begin any more; `unwanted`: slurmctld does not want to hear of it."""

    def __init__(self, job: int, attempt: int) -> None:
        self.job = job
        self.attempt = attempt
        self.steps: dict[int, StepHere] = {}
        self.seen: set[int] = set()
        self.over = False
        self.unwanted = False
        self.gone_told = False
        self.suspended: tuple[bool, int] | None = None  # whether it is to hold still, seconds of grace; None: it never was
        self.told: Mapping[str, str] | None = None  # what Epilog is told, once slurmctld wants the attempt ended

    @property
    def running(self) -> list[StepHere]:
        """Its steps that have not ended."""
        return [step for step in self.steps.values() if step.ended is None]


class Roster:
    """Every attempt on this node, and the most recent ones that are gone."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[int, int], JobHere] = {}
        self.by_path: dict[str, StepHere] = {}
        self._past: OrderedDict[tuple[int, int], None] = OrderedDict()

    def find(self, job: int, attempt: int) -> JobHere | None:
        """The attempt, if anything of it is or was here and is not acknowledged."""
        return self.jobs.get((job, attempt))

    def is_past(self, job: int, attempt: int) -> bool:
        """Whether this attempt has been ended here: nothing of it may begin again."""
        here = self.jobs.get((job, attempt))
        return (job, attempt) in self._past or (here is not None and here.over)

    def forbid(self, job: int, attempt: int) -> None:
        """This attempt was ended before slurmd was restarted."""
        self._past[job, attempt] = None

    def begin(self, key: StepKey, path: str) -> StepHere:
        """A step is about to be started."""
        here = self.jobs.setdefault((key.job, key.attempt), JobHere(key.job, key.attempt))
        step = StepHere(key, path)
        here.steps[key.step] = step
        here.seen.add(key.step)
        self.by_path[path] = step
        return step

    def has_seen(self, key: StepKey) -> bool:
        """Whether this very step has been started here before."""
        here = self.jobs.get((key.job, key.attempt))
        return here is not None and key.step in here.seen

    def end(self, step: StepHere, ended: Ended) -> bool:
        """A step has ended; whether with it nothing of its job is left here and slurmctld may be told so."""
        step.ended = ended
        here = self.jobs[step.key.job, step.key.attempt]
        if step.key.step == BATCH:
            here.over = True
        if not here.over or here.running or here.gone_told:
            return False
        here.gone_told = True
        return True

    def close(self, job: int, attempt: int) -> JobHere:
        """No step of this attempt may begin any more; the attempt, also when nothing of it was here."""
        here = self.jobs.setdefault((job, attempt), JobHere(job, attempt))
        here.over = True
        return here

    def drop_step(self, step: StepHere) -> None:
        """A step's folder was removed."""
        self.by_path.pop(step.path, None)
        here = self.jobs.get((step.key.job, step.key.attempt))
        if here is not None and here.steps.get(step.key.step) is step:
            del here.steps[step.key.step]

    def never_begun(self, step: StepHere) -> None:
        """A step could not be started after all: it may be tried again."""
        self.drop_step(step)
        key = step.key
        here = self.jobs.get((key.job, key.attempt))
        if here is not None:
            here.seen.discard(key.step)
            if not (here.seen or here.over):
                del self.jobs[key.job, key.attempt]

    def drop_job(self, job: int, attempt: int) -> None:
        """slurmctld knows that nothing of an attempt is left."""
        here = self.jobs.get((job, attempt))
        if here is None or here.running:
            return
        del self.jobs[job, attempt]
        for step in here.steps.values():
            self.by_path.pop(step.path, None)
        self._past[job, attempt] = None
        while len(self._past) > _REMEMBERED:
            self._past.popitem(last=False)

    def holdings(self, scripted: Iterable[tuple[int, int]] = ()) -> list[Holding]:
        """What slurmctld is told when we register; `scripted` are attempts for which prolog or epilog were run."""
        steps = [
            Holding(job=step.key.job, attempt=step.key.attempt, step=step.key.step, running=step.ended is None)
            for here in self.jobs.values() if not here.unwanted for step in here.steps.values()]
        named = {(holding.job, holding.attempt) for holding in steps}
        return steps + [Holding(job=job, attempt=attempt, step=SCRIPTS_STEP, running=False) for job,
            attempt in scripted if (job, attempt) not in named]

    @property
    def running(self) -> int:
        """How many steps run."""
        return sum(len(here.running) for here in self.jobs.values())
