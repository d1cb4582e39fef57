"""What a waiting job's priority is made of, factor by factor, in words: for `slurm explain --priority`."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.core.policy.fairshare import Share
from slurm.model.job import Job
from slurm.notation import duration
from slurm.sched.priority import Scale


def told(scale: Scale, job: Job) -> list[tuple[str, str]]:
    """The factors that count, each with its worth and where it comes from; the sum first."""
    if job.held:
        return [("priority", "0: it is held")]
    if job.request.priority is not None:
        return [("priority", f"{job.request.priority}: an operator set it, so no factor counts")]
    if scale.settings.priority_type == "basic":
        return [("priority", f"{scale.value(job)}: first come, first served (PriorityType=priority/basic)")]
    factors = list(_factors(scale, job))
    weighted = scale.weighted(job)
    parts = " + ".join(f"{worth:.0f} {name}" for name, worth, _ in factors if worth) or "nothing"
    nice = f" - {job.request.nice} nice" if job.request.nice > 0 else f" + {-job.request.nice} nice" if job.request.nice else ""
    return [("priority", f"{weighted.total} = {parts}{nice}" + (", and 1 at least" if weighted.total == 1 else "")),
            *((name, f"{worth:.0f}: {words}") for name, worth, words in factors)]


def _factors(scale: Scale, job: Job) -> Iterator[tuple[str, float, str]]:
    """Name, worth and words of each factor with a weight."""
    settings, of, worth = scale.settings, scale.of(job), scale.weighted(job)
    if settings.priority_weight_age:
        yield "age", worth.age, _of(of.age, settings.priority_weight_age, _age(scale, job))
    if settings.priority_weight_association:
        yield "association", worth.association, _of(of.association, settings.priority_weight_association,
            f"Priority of account {job.request.account} beside the others'")
    if settings.priority_weight_fair_share:
        yield "fair share", worth.fair_share, _of(of.fair_share, settings.priority_weight_fair_share, _fair_share(scale, job))
    if settings.priority_weight_job_size:
        small = ("the fewer of the cluster's nodes and CPUs it asks for, the more" if settings.priority_favor_small
            else "the more of the cluster's nodes and CPUs it asks for, the more")
        yield "job size", worth.job_size, _of(of.job_size, settings.priority_weight_job_size, small)
    if settings.priority_weight_partition:
        yield "partition", worth.partition, _of(of.partition, settings.priority_weight_partition,
            f"PriorityJobFactor of partition {job.partition} beside the highest")
    if settings.priority_weight_qos:
        yield "QOS", worth.qos, _of(of.qos, settings.priority_weight_qos,
            f"Priority of QOS {job.request.qos or '(none)'} beside the highest")
    for (name, amount), (_, factor) in zip(worth.tres, of.tres, strict=True):
        yield name, amount, _of(factor, settings.priority_weight_tres[name],
            f"its part of the {name} of partition {job.partition.partition(',')[0]}")


def _of(factor: float, weight: float, words: str) -> str:
    return f"{factor:.2f} of {weight:g}; {words}"


def _age(scale: Scale, job: Job) -> str:
    settings = scale.settings
    since = job.submit_time if "ACCRUE_ALWAYS" in settings.priority_flags else job.accrue_time
    if not since:
        return "its age does not count yet: it may not start, or a limit on jobs that age is reached"
    return f"it has aged for {duration.show(max(0.0, scale.now - since))}, at most {duration.show(settings.priority_max_age)} count"


def _fair_share(scale: Scale, job: Job) -> str:
    shares = scale.shares()
    mine = shares.get(job.association)
    if mine is None:
        return "it counts for no association"
    above = shares.get(mine.association.parent)
    who = (f"user {mine.association.user} used {_percent(_part(mine, above))} of what account {mine.association.account} used and has a "
           f"right to {_percent(mine.shares)} of its share")
    if above is not None and above.depth:
        grand = shares.get(above.association.parent)
        over = f"account {grand.association.account}" if grand is not None and grand.depth else "the cluster"
        who = (f"account {above.association.account} used {_percent(_part(above, grand))} of what {over} used and has a right to "
               f"{_percent(above.shares)}; {who}")
    life = scale.settings.priority_decay_half_life
    return who + (f" (half of it is forgotten after {duration.show(life)})" if life else "")


def _part(one: Share, above: Share | None) -> float:
    return one.usage / above.usage if above is not None and above.usage else 0.0


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
