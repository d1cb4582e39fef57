"""Steps of admission that ask the policy: whose account a job goes to, which QOS it may have, and the limits that hold at submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slurm.core import resolving
from slurm.core.draft import Draft
from slurm.core.gates import policy_limits
from slurm.core.policy import meeting
from slurm.core.policy import state as counting
from slurm.model import limits as rows
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.job import Job
from slurm.notation import duration


def account(draft: Draft) -> None:
    """The user's default account, when none was named; names of accounts have small letters, however they are typed."""
    draft.request.account = draft.request.account.lower() or draft.state.policy.book.default_account(draft.user)


def association(draft: Draft) -> None:
    """Whom the job counts for; where AccountingStorageEnforce wants one, the user must have an association with the account."""
    book, settings, request = draft.state.policy.book, draft.state.settings, draft.request
    partition = draft.partitions[0].name if draft.partitions else ""
    found = book.find(draft.user, request.account, partition)
    draft.association = found.id if found is not None else 0
    if found is None and "associations" in settings.accounting_enforce:
        raise InvalidRequest("ESLURM_INVALID_ACCOUNT", hints=_accounts(draft, partition))


def _accounts(draft: Draft, partition: str) -> list[str]:
    policy = draft.state.policy
    if not policy.known:
        return ["slurmctld has not heard of any association yet: is slurmdbd running?"]
    mine = policy.book.accounts_of(draft.user)
    if not mine:
        return [f"user {draft.user} has no account on this cluster: an operator adds one with sacctmgr add user {draft.user} account=NAME"]
    wanted = draft.request.account or "(none)"
    return [f"user {draft.user} may not use account {wanted} in partition {partition}", *resolving.meant(wanted, mine),
        f"accounts of {draft.user}: {', '.join(mine)}"]


def wckey(draft: Draft) -> None:
    """With TrackWCKey: the user's default wckey, with a * before it, when none was named.

    Where wckeys are enforced it must be one of the user's.
    """
    policy, settings, request = draft.state.policy, draft.state.settings, draft.request
    if not settings.track_wckey:
        return
    mine = policy.book.wckeys_of(draft.user)
    default = next((one.name for one in mine if one.is_default), "")
    if not request.wckey:
        request.wckey = f"*{default}" if default else ""
    if "wckeys" in settings.accounting_enforce and policy.book.wckey(draft.user, request.wckey) is None:
        raise InvalidRequest("ESLURM_INVALID_WCKEY", hints=_wckeys(draft, [one.name for one in mine]))


def _wckeys(draft: Draft, mine: list[str]) -> list[str]:
    if not mine:
        return [f"user {draft.user} has no wckey on this cluster: an operator adds one with sacctmgr add user {draft.user} wckey=NAME"]
    asked = draft.request.wckey
    return [*(resolving.meant(asked, mine) if asked else ["name one with --wckey: there is no default one"]),
        f"wckeys of {draft.user}: {', '.join(mine)}"]


def qos(draft: Draft) -> None:
    """The default QOS of the association, else the cluster's, when none was asked for."""
    policy, request = draft.state.policy, draft.request
    if request.qos:
        return
    request.qos = draft.state.settings.default_qos
    if draft.association in policy.book.associations:
        standing = policy.book.standing(draft.association)
        if standing.default_qos:
            request.qos = standing.default_qos
        elif standing.qos and request.qos not in standing.qos:
            request.qos = min(standing.qos)


def quality_of_service(draft: Draft) -> None:
    """The QOS must exist; where AccountingStorageEnforce wants it, the association must have it. Without accounting there is one."""
    policy, name = draft.state.policy, draft.request.qos
    if not policy.known:
        default = draft.state.settings.default_qos
        if name not in ("", default):
            raise InvalidRequest("ESLURM_INVALID_QOS", hints=[f"the QOS of this cluster: {default}"])
        return
    known = sorted(one.name for one in policy.book.qos.values())
    if name.lower() not in policy.book.qos:
        raise InvalidRequest("ESLURM_INVALID_QOS", hints=[*resolving.meant(name, known), f"the QOS of this cluster: {', '.join(known)}"])
    if "qos" in draft.state.settings.accounting_enforce and draft.association in policy.book.associations:
        allowed = policy.book.standing(draft.association).qos
        if name.lower() not in {one.lower() for one in allowed}:
            raise InvalidRequest("ESLURM_INVALID_QOS", hints=[
                f"QOS {name} is not for {draft.user} in account {draft.request.account}",
                f"QOS that may be used: {', '.join(sorted(allowed)) or 'none'}"])
    if "RequiresReservation" in policy.book.qos[name.lower()].flags and not draft.request.reservation:
        raise InvalidRequest("ESLURM_INVALID_QOS", hints=[f"QOS {name} is for jobs in a reservation only (--reservation)"])


def check_limits(draft: Draft, job: Job, before: Sequence[Job] = ()) -> None:
    """What counts at submission: jobs that wait and run together; and with DenyOnLimit whatever would keep the job from ever starting.

    `before`: other components that are submitted with it, each of which counts as a job under all that it will be counted under.
    """
    state = draft.state
    if not policy_limits.enforced(state):
        return
    for partition in draft.partitions[:1]:
        bounds = counting.bounds_of(state, job, partition)
        ask = policy_limits.ask(state, job)._replace(tasks=draft.array.count if draft.array is not None else 1)
        there = 0 if job.id not in state.pending else ask.tasks
        beside = Counter(key for one in before for key in counting.keys_of(state, one))
        for _, sentence in meeting.at_submission(bounds, ask._replace(tasks=ask.tasks - there),
                meeting.Scale(state.policy.tally, state.policy.usage, draft.now), beside):
            raise NotNow("ESLURM_ACCOUNTING_POLICY", hints=[sentence])
        if any("DenyOnLimit" in one.flags for name in (job.request.qos, partition.qos)
                if (one := state.policy.book.qos.get(name.lower())) is not None):
            refusal = meeting.alone(bounds, ask)
            if refusal is not None:
                raise InvalidRequest("ESLURM_ACCOUNTING_POLICY",
                    hints=[f"{refusal.sentence} ({refusal.reason}); its QOS refuses such jobs (DenyOnLimit)"])


def longest(draft: Draft, job: Job) -> None:
    """A job that names no time limit gets none that its association or QOS would not let it have (MaxWall)."""
    if draft.request.time_limit is not None or not policy_limits.enforced(draft.state):
        return
    for bound in counting.bounds_of(draft.state, job, draft.partitions[0]):
        if bound.limit.quantity == rows.WALL and bound.limit.span == rows.JOB and not 0 <= job.time_limit <= bound.value * 60:
            job.time_limit = bound.value * 60
            draft.warnings.append(f"time limit set to {duration.show(job.time_limit)}, the most that {bound.where} allows")
