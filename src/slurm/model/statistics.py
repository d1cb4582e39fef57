"""How busy a slurmctld was: the counters that sdiag shows, under the names of Slurm's API (v0.0.44).

Times are microseconds, moments seconds since the epoch.
"""

from __future__ import annotations

import msgspec

from slurm.model.ids import Uid


class RequestCount(msgspec.Struct, frozen=True):
    """Requests of one kind: Slurm's name and number of it (0: Slurm has none like it), how many there were and how long they took
    together."""

    message_type: str
    type_id: int
    count: int
    total_time: int


class UserCount(msgspec.Struct, frozen=True):
    """Requests of one user."""

    user: str
    user_id: Uid
    count: int
    total_time: int


class Statistics(msgspec.Struct, kw_only=True, frozen=True):
    """The counters since `req_time_start`, and what is so now.

    `schedule_…` tells of quick passes over the first jobs of the queue, `bf_…` of full passes with backfill. A depth is how many waiting
    jobs a pass looked at, a table how many reserved places a pass knew at its end; the exits say what ended the passes.
    """

    cluster: str = ""
    req_time: float
    req_time_start: float
    server_thread_count: int = 1
    agent_queue_size: int = 0  # orders that no node has confirmed
    agent_count: int = 0
    agent_thread_count: int = 0
    dbd_agent_queue_size: int = 0  # records that accounting has not acknowledged
    gettimeofday_latency: int = 0

    jobs_submitted: int = 0
    jobs_started: int = 0
    jobs_completed: int = 0
    jobs_canceled: int = 0
    jobs_failed: int = 0
    job_states_ts: float = 0.0  # when pending and running jobs were counted
    jobs_pending: int = 0
    jobs_running: int = 0

    schedule_cycle_last: int = 0
    schedule_cycle_max: int = 0
    schedule_cycle_sum: int = 0
    schedule_cycle_total: int = 0
    schedule_cycle_depth: int = 0
    schedule_queue_length: int = 0
    schedule_exit: dict[str, int] = {}

    bf_backfilled_jobs: int = 0  # since slurmctld started
    bf_last_backfilled_jobs: int = 0  # since req_time_start
    bf_backfilled_het_jobs: int = 0
    bf_cycle_counter: int = 0
    bf_cycle_last: int = 0
    bf_cycle_max: int = 0
    bf_cycle_sum: int = 0
    bf_when_last_cycle: float = 0.0
    bf_active: bool = False
    bf_last_depth: int = 0
    bf_last_depth_try: int = 0
    bf_depth_sum: int = 0
    bf_depth_try_sum: int = 0
    bf_queue_len: int = 0
    bf_queue_len_sum: int = 0
    bf_table_size: int = 0
    bf_table_size_sum: int = 0
    bf_exit: dict[str, int] = {}

    rpcs_by_message_type: list[RequestCount] = []
    rpcs_by_user: list[UserCount] = []
