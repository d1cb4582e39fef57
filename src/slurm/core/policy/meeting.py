"""Whether a job meets a limit: each bound against what the job asks for or gets, and against what counts already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from slurm.core.policy.bounds import Bound
from slurm.core.policy.tally import Key, Tally
from slurm.core.policy.usage import WALL, Usage
from slurm.model import limits as rows
from slurm.model.refusal import ENDINGS, Refusal
from slurm.notation import duration, size

MINUTES_OF_A_YEAR = 365 * 24 * 60
"""What a job without a time limit is taken to run."""
ALONE = frozenset({rows.JOB, rows.NODE})
CURES_ALONE = ("JobUpdated", "PolicyChanged")
CURES = (*ENDINGS, *CURES_ALONE)


class Ask(NamedTuple):
    """What a job asks for, or gets: TRES of all of it and of its largest node, and the minutes of its time limit (None: without)."""

    amounts: dict[str, int]
    a_node: dict[str, int]
    minutes: int | None
    tasks: int = 1  # of an array
    factor: float = 1.0  # by which minutes count ahead: the UsageFactor of a QOS with UsageFactorSafe

    @property
    def length(self) -> int:
        """Minutes that it may run."""
        return MINUTES_OF_A_YEAR if self.minutes is None else self.minutes


class Scale(NamedTuple):
    """What counts already. `safe`: a job starts only if it may run to its end within the limits on TRES minutes."""

    tally: Tally
    usage: Usage
    now: float
    safe: bool = False


def refuse(bounds: Iterable[Bound], ask: Ask, scale: Scale) -> Refusal | None:
    """The first limit that keeps a job from starting now, None when none does."""
    for bound in bounds:
        over = _OVER.get(bound.limit.quantity)
        told = over(bound, ask, scale) if over is not None else None
        if told is not None:
            cures = CURES_ALONE if bound.limit.span in ALONE else CURES
            return Refusal(rows.reason_of(bound.limit, bound.tres), f"{bound.where} {told}", ((bound.limit.key, _shown(bound)),), cures)
    return None


def at_submission(bounds: Iterable[Bound], ask: Ask, scale: Scale, beside: Mapping[Key, int]) -> Iterator[tuple[Bound, str]]:
    """The limits on waiting and running jobs together that such a submission would pass, with a sentence.

    `beside`: how many jobs are submitted together with it, under each key.
    """
    for bound in bounds:
        if bound.limit.quantity == rows.SUBMITTED:
            there = scale.tally.of(bound.key).submitted + beside.get(bound.key, 0)
            if there + ask.tasks > bound.value:
                yield (bound, f"{bound.where} may have {_jobs(bound.value)} waiting and running ({bound.limit.key}), {there} are there "
                              f"and {ask.tasks} more come")


def alone(bounds: Iterable[Bound], ask: Ask) -> Refusal | None:
    """The first limit that keeps the job from ever starting, whatever else runs."""
    return refuse(bounds, ask, Scale(Tally(), Usage(), 0.0))


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _amount(tres: str, count: float) -> str:
    return size.show_mb(int(count)) if tres in ("mem", "vmem", "bb") else f"{count:g}" if count < 1e6 else str(int(count))


def _shown(bound: Bound) -> str:
    if bound.limit.quantity == rows.WALL:
        return duration.show(bound.value * 60)
    return f"{bound.tres}={_amount(bound.tres, bound.value)}" if bound.tres else str(bound.value)


def _over_jobs(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    running = scale.tally.of(bound.key).running
    return f"may run {_jobs(bound.value)} at once ({bound.limit.key}), {running} run" if running + 1 > bound.value else None


def _over_wall(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    if bound.limit.span == rows.JOB:
        if ask.minutes is not None and ask.minutes <= bound.value:
            return None
        asked = "no end" if ask.minutes is None else duration.show(ask.minutes * 60)
        return f"lets a job run {_shown(bound)} ({bound.limit.key}), it asks for {asked}"
    used = scale.usage.of(_counter(bound), WALL, scale.now) / 60
    length = ask.length * ask.factor
    if used + (length if scale.safe else 0) < bound.value or (scale.safe and used + length == bound.value):
        return None
    return f"has {_shown(bound)} of run time ({bound.limit.key}), {duration.show(int(used * 60))} are used up"


def _over_tres(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    allowed = _amount(bound.tres, bound.value)
    if bound.limit.span in ALONE:
        asked = (ask.a_node if bound.limit.span == rows.NODE else ask.amounts).get(bound.tres, 0)
        each = "on each node" if bound.limit.span == rows.NODE else "for a job"
        return (f"allows {bound.tres}={allowed} {each} ({bound.limit.key}), it asks for {_amount(bound.tres, asked)}" if asked > bound.value
            else None)
    asked, held = ask.amounts.get(bound.tres, 0), scale.tally.of(bound.key).tres.get(bound.tres, 0)
    if not asked or held + asked <= bound.value:
        return None
    return (f"may hold {bound.tres}={allowed} at once ({bound.limit.key}), {_amount(bound.tres, held)} are held and it asks for "
            f"{_amount(bound.tres, asked)}")


def _over_minutes(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    asked = ask.amounts.get(bound.tres, 0)
    if not asked:
        return None
    if bound.limit.span == rows.JOB:
        wants = asked * ask.length
        return f"allows a job {bound.value} {bound.tres} minutes ({bound.limit.key}), it asks for {wants}" if wants > bound.value else None
    used = scale.usage.of(_counter(bound), bound.tres, scale.now) / 60
    ahead = scale.tally.minutes_left(bound.key, bound.tres, scale.now) + asked * ask.length * ask.factor if scale.safe else 0.0
    if used < bound.value and used + ahead <= bound.value:
        return None
    soon = f" and {ahead:.0f} are spoken for" if ahead else ""
    return f"has {bound.value} {bound.tres} minutes ({bound.limit.key}), {used:.0f} are used up{soon}"


def _over_running_minutes(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    asked = ask.amounts.get(bound.tres, 0)
    left = scale.tally.minutes_left(bound.key, bound.tres, scale.now)
    if not asked or left + asked * ask.length <= bound.value:
        return None
    return (f"may have {bound.value} {bound.tres} minutes ahead of running jobs ({bound.limit.key}), {left:.0f} are and it asks for "
            f"{asked * ask.length}")


def _too_little(bound: Bound, ask: Ask, scale: Scale) -> str | None:
    asked = ask.amounts.get(bound.tres, 0)
    return (f"wants jobs of {bound.tres}={_amount(bound.tres, bound.value)} at least ({bound.limit.key}), it asks for "
            f"{_amount(bound.tres, asked)}" if asked < bound.value else None)


def _counter(bound: Bound) -> int | str:
    return bound.key[1]


_OVER: dict[str, Callable[[Bound, Ask, Scale], str | None]] = {
    rows.JOBS: _over_jobs, rows.WALL: _over_wall, rows.TRES: _over_tres, rows.TRES_MINUTES: _over_minutes,
    rows.TRES_RUN_MINUTES: _over_running_minutes, rows.MIN_TRES: _too_little}
