"""Which jobs a user means: ids as they are typed, and how the cluster's queue answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slurm.commands.failure import Failure
from slurm.notation import jobref
from slurm.notation.errors import NotationError
from slurm.notation.jobref import JobRef
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following import inspection
from slurm.sdk.following.ending import covers
from slurm.sdk.following.inspection import JobRecord, QueueRow

KNOWN = ["all"]
"""The states to ask for when ended jobs count as well, as long as the cluster remembers them."""


def parse(texts: Iterable[str]) -> list[JobRef]:
    """The jobs named by `12`, `12_3`, `12_[1-5]`, `12+1` or several with commas between them; a Failure names the first word that is
    none."""
    found: list[JobRef] = []
    for text in texts:
        try:
            found += jobref.parse_list(text)
        except NotationError as error:
            raise Failure("InvalidJobId", f"{text!r} is no job id",
                ["valid: 12, 12_3 for an element of an array, 12_[1-5,8] for several"]) from error
    for one in found:
        if one.step:
            raise Failure("InvalidJobId", f"{one.show()!r} names a part of a job", ["give the job's own id, such as 12 or 12_3"])
    return found


def single(text: str) -> JobRef:
    """The one job that is meant."""
    refs = parse([text])
    if len(refs) != 1:
        raise Failure("InvalidJobId", f"{text!r} names {len(refs)} jobs", ["give one"])
    return refs[0]


def rows(backend: Backend, refs: Sequence[JobRef]) -> list[QueueRow]:
    """Those of these jobs that the cluster still knows, each element of an array singly, ended ones too; in the order of the references."""
    bases = list(dict.fromkeys(str(ref.job) for ref in refs))
    known = sorted(inspection.queue(backend.ask, states=KNOWN, ids=bases, elements=True), key=order)
    return list(dict.fromkeys(row for ref in refs for row in known if covers(ref, row)))


def order(row: QueueRow | JobRecord) -> tuple[int, int]:
    """By number, an array's elements and components by theirs and those that wait on one line last."""
    base, task = parted(row.id)
    return int(base), int(task) if task.isdigit() else 1 << 32 if task else -1


def parted(shown: str) -> tuple[str, str]:
    """An id as it is shown in two: `12` and what follows `_` of an array's element or `+` of a component, "" of any other job."""
    base, _, part = shown.replace("+", "_", 1).partition("_")
    return base, part


def records(backend: Backend, ref: JobRef) -> list[JobRecord]:
    """What the cluster knows of a job, or of the elements that are meant; UnknownJob when it knows none of them."""
    found = sorted((one for one in inspection.job(backend.ask, str(ref.job)) if covers(ref, one)), key=order)
    if not found:
        raise inspection.UnknownJob(f"the cluster knows job {ref.job}, but no {'element' if ref.het is None else 'component'} "
                                    f"{ref.show()} of it")
    return found
