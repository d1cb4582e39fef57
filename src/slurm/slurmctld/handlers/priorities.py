"""What sshare and sprio ask: fair shares of associations, and the factors of waiting jobs' priorities, as the planner reckons with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from slurm.core import rights, tres
from slurm.core.events import Caller
from slurm.core.policy.fairshare import Share
from slurm.core.state import ClusterState
from slurm.model.job import Job
from slurm.model.policy import Association
from slurm.model.priority import JobPriority, ShareNow
from slurm.notation import tres as tres_notation
from slurm.render import job_filter
from slurm.sched.priority import Scale, Weighted
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.looking import MICROSECONDS
from slurm.slurmctld.session import Session
from slurm.wire import messages as m

A_SHARE = 12.0
"""Microseconds that an association takes."""
A_PRIORITY = 30.0
"""Microseconds that a job takes."""
_EVERYWHERE = tres_notation.ORDER


async def on_list_shares(ctl: Controller, session: Session, message: m.ListShares) -> m.Message | bytes:
    """sshare."""
    cluster, now, name = ctl.cluster, ctl.now(), ctl.config.cluster_name
    sees = _seen_usage(cluster, session.caller)

    def work() -> m.SharesListed:
        return m.SharesListed(cluster=name, shares=[one for one in shares_now(cluster, now, message.users, message.accounts)
            if sees(one.user, one.account)], tres=_tres(cluster))

    return await ctl.looked_beside(work, A_SHARE * len(cluster.policy.book.associations) > MICROSECONDS, session)


async def on_list_priorities(ctl: Controller, session: Session, message: m.ListPriorities) -> m.Message | bytes:
    """sprio."""
    view, cluster, now, caller, name = ctl.view(session.caller), ctl.cluster, ctl.now(), session.caller, ctl.config.cluster_name
    wanted = m.JobFilter(ids=message.jobs, users=message.users, partitions=message.partitions, states=["pending"])

    def work() -> m.PrioritiesListed:
        scale = Scale(cluster, now)
        settings = cluster.settings
        jobs = sorted(job_filter.select(view, wanted, caller), key=lambda job: job.id)
        lines = [line for job in jobs if not job.held for line in priorities_of(scale, job, message.partitions)]
        return m.PrioritiesListed(
            cluster=name, priority_type=settings.priority_type, jobs=lines, tres_weights=dict(settings.priority_weight_tres), weights={
                "age": settings.priority_weight_age, "assoc": settings.priority_weight_association,
                "fairshare": settings.priority_weight_fair_share,
                "jobsize": settings.priority_weight_job_size, "partition": settings.priority_weight_partition,
                "qos": settings.priority_weight_qos})

    return await ctl.looked_beside(work, A_PRIORITY * len(cluster.pending) + A_SHARE * len(cluster.policy.book.associations) > MICROSECONDS,
        session)


def _seen_usage(cluster: ClusterState, caller: Caller) -> Callable[[str, str], bool]:
    """Whose usage the caller may know of, by user and account: with PrivateData=usage his own and that of accounts that he coordinates."""
    if not rights.is_private(cluster, caller, rights.USAGE):
        return lambda user, account: True
    accounts = rights.coordinated(cluster, caller)
    return lambda user, account: user.lower() == caller.user.lower() or account.lower() in accounts


def priorities_of(scale: Scale, job: Job, partitions: Collection[str]) -> Iterator[JobPriority]:
    """A line for each partition that a job waits in."""
    for partition in job.partition.split(","):
        if partitions and partition not in partitions:
            continue
        factors, weighted = scale.of(job), scale.weighted(job)
        factor = scale.factors.get(partition, 0.0)
        weighted = weighted._replace(partition=scale.settings.priority_weight_partition * factor)
        fixed = job.request.priority is not None or scale.settings.priority_type == "basic"
        yield JobPriority(
            job=job.shown_id, partition=partition, user=job.owner.user, account=job.request.account, qos=job.request.qos,
            priority=scale.value(job) if fixed else weighted.total, nice=job.request.nice, tres=dict(weighted.tres),
            tres_factors=dict(factors.tres),
            factors={
                "age": factors.age, "assoc": factors.association, "fairshare": factors.fair_share, "jobsize": factors.job_size,
                "partition": factor,
                "qos": factors.qos},
            weighted=_by_name(weighted))


def _by_name(one: Weighted) -> dict[str, float]:
    return {"age": one.age, "assoc": one.association, "fairshare": one.fair_share, "jobsize": one.job_size, "partition": one.partition,
        "qos": one.qos}


def shares_now(cluster: ClusterState, now: float, users: Collection[str], accounts: Collection[str]) -> Iterator[ShareNow]:
    """Associations from the root on, users of an account before the accounts below it; of users and accounts only those that are wanted."""
    policy, settings = cluster.policy, cluster.settings
    found = policy.shares(now, settings.priority_flags, settings.fair_share_dampening)
    running = _running(cluster, now)
    wanted_users, wanted_accounts = {name.lower() for name in users}, {name.lower() for name in accounts}
    waiting = list(policy.book.roots())
    while waiting:
        one = waiting.pop(0)
        below = sorted(policy.book.children(one.id), key=lambda child: (not child.user, child.user.lower(), child.account.lower(),
            child.partition))
        waiting = [*below, *waiting]
        if (wanted_accounts and one.account.lower() not in wanted_accounts) or (wanted_users and one.user
                and one.user.lower() not in wanted_users):
            continue
        share = found.get(one.id)
        if share is None:  # it came a moment ago: nothing was used yet
            share = Share(one, one.shares, 0.0, 0.0, 0.0, 0.0, 0.0, None, 0)
        yield _share(cluster, one, share, running.get(one.id, {}), now)


def _share(cluster: ClusterState, one: Association, share: Share, running: dict[str, int], now: float) -> ShareNow:
    usage = cluster.policy.usage
    return ShareNow(
        id=one.id, parent=one.parent, account=one.account, user=one.user, partition=one.partition, raw_shares=share.raw_shares,
        norm_shares=share.shares,
        raw_usage=share.usage, norm_usage=share.norm_usage, effective_usage=share.effective_usage,
        level_fs=share.level if share.level != float("inf") else None, factor=share.factor, limits=one.limits.get("GrpTRESMins", {}),
        running=running,
        used={name: int(usage.of(one.id, name, now) / 60) for name in usage.counters.get(one.id, {})})


def _running(cluster: ClusterState, now: float) -> dict[int, dict[str, int]]:
    """TRES-minutes of what runs, from now to the limits of the jobs, by association."""
    policy = cluster.policy
    seconds: dict[int, dict[str, float]] = {}
    for job in cluster.active.values():
        held = policy.tally.running(job.id)
        if held is None or job.association not in policy.book.associations:
            continue
        left = max(0.0, held.until - now)
        for association in policy.book.standing(job.association).lineage:
            amounts = seconds.setdefault(association, {})
            for name, amount in held.amounts.items():
                amounts[name] = amounts.get(name, 0.0) + amount * left
    return {association: {name: int(amount / 60) for name, amount in amounts.items()} for association, amounts in seconds.items()}


def _tres(cluster: ClusterState) -> list[str]:
    """The TRES of this cluster, in Slurm's order."""
    there = tres.configured(cluster.nodes.values())
    return [*_EVERYWHERE, *sorted(name for name in there if name not in _EVERYWHERE)]
