"""Rights: who may do and see what of jobs, nodes, partitions and usage. Who the caller is, the kernel or a credential has said.

Above root, SlurmUser and the operators of the configuration stand only those whom sacctmgr made Administrator; Operators change jobs and
see what PrivateData hides; coordinators do both for the jobs of their accounts and of those below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set

from slurm.core.events import Caller
from slurm.core.state import ClusterState
from slurm.model.errors import NotPermitted
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.policy import ADMINISTRATOR, OPERATOR

JOBS, NODES, PARTITIONS, RESERVATIONS, USAGE, USERS, ACCOUNTS, EVENTS = (
    "jobs", "nodes", "partitions", "reservations", "usage", "users", "accounts", "events")
"""The words of PrivateData."""


def is_administrator(state: ClusterState, caller: Caller) -> bool:
    """Whether the caller may change whatever there is: root, SlurmUser, the operators of the configuration, and whose AdminLevel is
    Administrator."""
    if caller.uid == 0 or caller.uid in state.settings.operators or caller.user == state.settings.slurm_user:
        return True
    return _level(state, caller) == ADMINISTRATOR


def is_operator(state: ClusterState, caller: Caller) -> bool:
    """Whether the caller may change the jobs of all and see what is private: administrators, and whose AdminLevel is Operator."""
    return is_administrator(state, caller) or _level(state, caller) == OPERATOR


def _level(state: ClusterState, caller: Caller) -> str:
    known = None if caller.unelevated else state.policy.book.users.get(caller.user.lower())
    return known.admin_level if known is not None else ""


def coordinates(state: ClusterState, caller: Caller, account: str) -> bool:
    """Whether the caller is a coordinator of an account or of one above it."""
    return bool(account) and account.lower() in coordinated(state, caller)


def coordinated(state: ClusterState, caller: Caller) -> Set[str]:
    """The accounts that the caller coordinates, and all below them."""
    return frozenset() if caller.unelevated else state.policy.book.coordinated(caller.user)


def may_touch(state: ClusterState, caller: Caller, job: Job) -> bool:
    """Whether the caller may change or end a job: its owner, an operator, or a coordinator of its account."""
    return job.owner.uid == caller.uid or is_operator(state, caller) or coordinates(state, caller, job.request.account)


def is_private(state: ClusterState, caller: Caller, what: str) -> bool:
    """Whether PrivateData keeps others' jobs, the nodes … (its words) from this caller."""
    return what in state.settings.private_data and not is_operator(state, caller)


def policy_sight(state: ClusterState, caller: Caller | None) -> Callable[[str, str], bool]:
    """Of which users and accounts (user "": the account itself), with what they used, the caller may know; None: of all."""
    if caller is None or not any(is_private(state, caller, word) for word in (USERS, ACCOUNTS, USAGE)):
        return lambda user, account: True
    mine, me = coordinated(state, caller), caller.user.lower()
    no_users, no_accounts = (is_private(state, caller, word) or is_private(state, caller, USAGE) for word in (USERS, ACCOUNTS))

    def sees(user: str, account: str) -> bool:
        return account.lower() in mine or (not no_users or user.lower() == me if user else not no_accounts)

    return sees


def require_public(state: ClusterState, caller: Caller, *what: str) -> None:
    """NotPermitted where PrivateData keeps one of these from this caller."""
    for word in what:
        if is_private(state, caller, word):
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"PrivateData={word}: only operators see {word} here"])


def may_see(state: ClusterState, caller: Caller, job: Job) -> bool:
    """Whether the caller may know of a job."""
    return not is_private(state, caller, JOBS) or may_touch(state, caller, job)


def visible_jobs(state: ClusterState, caller: Caller) -> Mapping[JobId, Job]:
    """The jobs that the caller may know of, as a look at the state's own."""
    if not is_private(state, caller, JOBS):
        return state.jobs
    accounts = coordinated(state, caller)
    return _Seen(state.jobs, lambda job: job.owner.uid == caller.uid or job.request.account.lower() in accounts)


class _Seen(Mapping[JobId, Job]):
    """Some of a mapping's jobs; which of them is asked when somebody looks."""

    def __init__(self, jobs: Mapping[JobId, Job], sees: Callable[[Job], bool]) -> None:
        self._jobs = jobs
        self._sees = sees

    def __getitem__(self, key: JobId) -> Job:
        job = self._jobs[key]
        if not self._sees(job):
            raise KeyError(key)
        return job

    def __iter__(self) -> Iterator[JobId]:
        return (key for key, job in self._jobs.items() if self._sees(job))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def require_administrator(state: ClusterState, caller: Caller) -> None:
    """NotPermitted with the words that scontrol prints, unless the caller may change nodes and partitions."""
    if not is_administrator(state, caller):
        raise NotPermitted("ESLURM_USER_ID_MISSING",
            hints=[f"only root and the administrators of {state.settings.cluster_name} may do this"])


def require_owner(state: ClusterState, caller: Caller, job: Job) -> None:
    """NotPermitted with the words that scontrol prints, unless the caller owns the job or may administrate."""
    if not may_touch(state, caller, job):
        whose = job.owner.user if may_see(state, caller, job) else "another user"
        raise NotPermitted("ESLURM_USER_ID_MISSING", hints=[f"job {job.shown_id} belongs to {whose}"])
