"""What sshare and sprio show: where an association stands at one moment, and what a waiting job's priority is made of.

How both come about is in `sched.priority`.
"""

from __future__ import annotations

import msgspec


class ShareNow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One association now, as core.policy.fairshare has it; `parent` is the id above, 0: none. TRES-minutes are of running jobs, to their
    limits.

    `level_fs` None: infinite, nothing was used. `factor` is of users alone. `limits` are TRES-minutes that the association may use in all.
    """

    id: int
    parent: int
    account: str
    user: str = ""
    partition: str = ""
    raw_shares: int = 1
    norm_shares: float = 0.0
    raw_usage: float = 0.0
    norm_usage: float = 0.0
    effective_usage: float = 0.0
    level_fs: float | None = 0.0
    factor: float | None = None
    limits: dict[str, int] = {}
    running: dict[str, int] = {}
    used: dict[str, int] = {}  # TRES-minutes, decayed


class JobPriority(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The priority of a job in one of its partitions: `factors` from 0 to 1, `weighted` times their weights; keys as in `weights`."""

    job: str
    partition: str
    user: str
    account: str
    qos: str
    priority: int
    nice: int = 0
    factors: dict[str, float] = {}
    weighted: dict[str, float] = {}
    tres: dict[str, float] = {}  # weighted, by name
    tres_factors: dict[str, float] = {}
