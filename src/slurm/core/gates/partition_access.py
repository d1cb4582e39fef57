"""AllowAccounts, DenyAccounts, AllowQos and DenyQos of a partition: asked at submission, and of jobs that wait while a partition is
changed."""

from __future__ import annotations

from slurm.core.gates.gate import Scene
from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import Refusal
from slurm.model.request import JobRequest
from slurm.model.states import Reason

CURES = ("JobUpdated", "PartitionUpdated", "Configured")

EVERYBODY = ("", "ALL")
"""What most partitions say: asked of every waiting job in every pass, so it is looked for first."""


def closed(scene: Scene, job: Job, partition: Partition, now: float) -> bool:
    """Whether the partition is not for the job's account or QOS."""
    if partition.allow_accounts in EVERYBODY and partition.allow_qos in EVERYBODY and not (partition.deny_accounts or partition.deny_qos):
        return False
    return bool(forbidden(job.request, partition))


def refusal(scene: Scene, job: Job, partition: Partition, now: float) -> Refusal:
    """Which of the two it is."""
    why = forbidden(job.request, partition)
    reason = Reason.ACCOUNT_NOT_ALLOWED if why.endswith("Accounts)") else Reason.QOS_NOT_ALLOWED
    return Refusal(reason, f"partition {partition.name}: {why}", (("account", job.request.account), ("QOS", job.request.qos)), CURES)


def forbidden(request: JobRequest, partition: Partition) -> str:
    """Why jobs of this account and QOS may not use a partition, "" where they may.

    A Deny list counts only without an Allow list, as in Slurm.
    """
    account, qos = request.account.lower(), request.qos.lower()
    if is_open(partition.allow_accounts) and partition.deny_accounts:
        if account and is_named(partition.deny_accounts, account):
            return f"it is not for account {account} (DenyAccounts)"
    elif account and not is_listed(partition.allow_accounts, account):
        return f"it is for the accounts {partition.allow_accounts} (AllowAccounts)"
    if is_open(partition.allow_qos) and partition.deny_qos:
        if qos and is_named(partition.deny_qos, qos):
            return f"it is not for QOS {request.qos} (DenyQos)"
    elif qos and not is_listed(partition.allow_qos, qos):
        return f"it is for the QOS {partition.allow_qos} (AllowQos)"
    return ""


def is_open(text: str) -> bool:
    """Whether an Allow list is none: everybody may."""
    return text.strip().upper() in ("", "ALL")


def is_named(text: str, *names: str) -> bool:
    """Whether one of these names stands in a list; case does not count."""
    listed = {word.strip().lower() for word in text.split(",")}
    return any(name.lower() in listed for name in names)


def is_listed(text: str, *names: str) -> bool:
    """Whether an Allow list lets one of these names in."""
    return is_open(text) or is_named(text, *names)
