"""Effects: what is to be done outside, in imperatives. `core.cluster.apply` returns them; `slurmctld` carries them out after the event is
on disk.

Each can be lost (a crash after the journal entry) and must be found again from state alone: `core.recovery.pending_effects`. Only Signal is
in no state: whoever asks for one is told whether it arrived. A Record is not carried out but kept with the event.
"""

from __future__ import annotations

import msgspec

from slurm.model.accounting import AccountingRecord
from slurm.model.ids import JobId, NodeName, StepId
from slurm.model.notice import Notice


class Effect(msgspec.Struct, kw_only=True, frozen=True):
    """Anything core wants done."""


class Launch(Effect, frozen=True):
    """Start the batch script of this attempt on `node`."""

    job: JobId
    attempt: int
    node: NodeName


class Prepare(Effect, frozen=True):
    """Run the Prolog of this attempt on these nodes now, before anything of it does (PrologFlags=Alloc), and begin its extern step where
    it has one (Contain); each node answers with Prepared."""

    job: JobId
    attempt: int
    nodes: tuple[NodeName, ...]


class RunScript(Effect, frozen=True):
    """Run PrologSlurmctld or EpilogSlurmctld (`kind` prolog | epilog) for this attempt, beside slurmctld."""

    job: JobId
    attempt: int
    kind: str


class Terminate(Effect, frozen=True):
    """End every process of this attempt on these nodes: SIGCONT and SIGTERM, SIGKILL after KillWait; each node answers with NodeFreed.

    `why` goes into the job's error file: "" (ended by itself) | cancelled | timeout | node_fail | preempted | requeue.
    """

    job: JobId
    attempt: int
    nodes: tuple[NodeName, ...]
    why: str = ""
    at: float = 0.0


class SetLimit(Effect, frozen=True):
    """Tell these nodes when the time limit of this attempt is: they keep it also when they hear nobody."""

    job: JobId
    attempt: int
    nodes: tuple[NodeName, ...]


class Suspend(Effect, frozen=True):
    """Have the processes of this attempt on these nodes hold still, or go on, as state says when it is carried out."""

    job: JobId
    attempt: int
    nodes: tuple[NodeName, ...]


class Signal(Effect, frozen=True):
    """Send a signal number to a step (None: all steps, not the batch shell), the batch script (`batch`) or everything (`full`)."""

    job: JobId
    attempt: int
    nodes: tuple[NodeName, ...]
    signal: int
    step: StepId | None = None
    batch: bool = False
    full: bool = False


class EndStep(Effect, frozen=True):
    """End one step's processes on these nodes as Terminate does for a job."""

    job: JobId
    attempt: int
    step: StepId
    nodes: tuple[NodeName, ...]
    why: str = ""


class Announce(Effect, frozen=True):
    """The visible state of a job changed: waiting srun, salloc, `sbatch -W` and watchers want to know."""

    job: JobId


class Record(Effect, frozen=True):
    """Send this record to the accounting database. It goes to the disk with its event, and is never lost."""

    sequence: int
    record: AccountingRecord


class Tell(Effect, frozen=True):
    """Tell a destination outside (`model.notice`) of this.

    It goes to the disk with its event, as a Record, and stays there until it was told.
    """

    destination: str
    notice: Notice


AnyEffect = Launch | Prepare | RunScript | Terminate | SetLimit | Suspend | Signal | EndStep | Announce | Record | Tell
