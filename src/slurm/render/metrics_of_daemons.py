"""What daemons tell Prometheus of themselves: how busy slurmctld's planner is, under the names of Slurm 25.11, and what ours have
beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slurm.model.statistics import Statistics
from slurm.render.openmetrics import COUNTER, Family, Number, by, gauge

_MICRO = 1_000_000


def scheduler(of: Statistics) -> list[Family]:
    """GET /metrics/scheduler. Times are microseconds, as sdiag has them."""
    numbers: list[tuple[str, str, Number]] = [
        ("agent_cnt", "Agents", of.agent_count), ("agent_queue_size", "Orders that no node has confirmed", of.agent_queue_size),
        ("agent_thread_cnt", "Threads of agents", of.agent_thread_count),
        ("backfilled_jobs", "Jobs that backfill started since slurmctld began", of.bf_backfilled_jobs),
        ("backfilled_het_jobs", "Components of heterogeneous jobs that backfill started", of.bf_backfilled_het_jobs),
        ("last_backfilled_jobs", "Jobs that backfill started since the counters began", of.bf_last_backfilled_jobs),
        ("bf_active", "Whether a full pass is being made", int(of.bf_active)),
        ("bf_cycle_cnt", "Full passes", of.bf_cycle_counter), ("bf_cycle_last", "Length of the last full pass", of.bf_cycle_last),
        ("bf_cycle_max", "Length of the longest full pass", of.bf_cycle_max),
        ("bf_cycle_tot", "Length of all full passes", of.bf_cycle_sum),
        ("bf_mean_cycle", "Mean length of a full pass", _mean(of.bf_cycle_sum, of.bf_cycle_counter)),
        ("bf_depth_tot", "Jobs that full passes looked at", of.bf_depth_sum),
        ("bf_depth_mean", "Jobs that a full pass looked at, mean", _mean(of.bf_depth_sum, of.bf_cycle_counter)),
        ("bf_depth_try_tot", "Jobs that full passes tried to place", of.bf_depth_try_sum),
        ("bf_try_depth_mean", "Jobs that a full pass tried to place, mean", _mean(of.bf_depth_try_sum, of.bf_cycle_counter)),
        ("bf_last_depth", "Jobs that the last full pass looked at", of.bf_last_depth),
        ("bf_last_depth_try", "Jobs that the last full pass tried to place", of.bf_last_depth_try),
        ("bf_queue_len", "Jobs that waited at the last full pass", of.bf_queue_len),
        ("bf_queue_len_tot", "Jobs that waited at full passes", of.bf_queue_len_sum),
        ("bf_queue_len_mean", "Jobs that waited at a full pass, mean", _mean(of.bf_queue_len_sum, of.bf_cycle_counter)),
        ("bf_table_size", "Reserved places of the last full pass", of.bf_table_size),
        ("bf_table_size_tot", "Reserved places of all full passes", of.bf_table_size_sum),
        ("bf_mean_table_sz", "Reserved places of a full pass, mean", _mean(of.bf_table_size_sum, of.bf_cycle_counter)),
        ("bf_when_last_cycle", "When the last full pass began, seconds since the epoch", int(of.bf_when_last_cycle)),
        ("sdiag_jobs_submitted", "Jobs submitted since the counters began", of.jobs_submitted),
        ("sdiag_jobs_started", "Jobs started", of.jobs_started), ("sdiag_jobs_completed", "Jobs completed", of.jobs_completed),
        ("sdiag_jobs_canceled", "Jobs cancelled", of.jobs_canceled), ("sdiag_jobs_failed", "Jobs failed", of.jobs_failed),
        ("sdiag_jobs_pending", "Jobs that wait", of.jobs_pending), ("sdiag_jobs_running", "Jobs that run", of.jobs_running),
        ("sdiag_job_states_ts", "When these were counted", int(of.job_states_ts)),
        ("sdiag_latency", "Microseconds of a thousand looks at the clock", of.gettimeofday_latency),
        ("schedule_cycle_cnt", "Quick passes", of.schedule_cycle_total),
        ("schedule_cycle_depth", "Jobs that quick passes looked at", of.schedule_cycle_depth),
        ("schedule_cycle_last", "Length of the last quick pass", of.schedule_cycle_last),
        ("schedule_cycle_max", "Length of the longest quick pass", of.schedule_cycle_max),
        ("schedule_cycle_tot", "Length of all quick passes", of.schedule_cycle_sum),
        ("schedule_queue_len", "Jobs that waited at the last quick pass", of.schedule_queue_length),
        ("sched_mean_cycle", "Mean length of a quick pass", _mean(of.schedule_cycle_sum, of.schedule_cycle_total)),
        ("sched_mean_depth_cycle", "Jobs that a quick pass looked at, mean", _mean(of.schedule_cycle_depth, of.schedule_cycle_total)),
        ("server_thread_cnt", "Threads that answer", of.server_thread_count),
        ("slurmdbd_queue_size", "Records that accounting has not acknowledged", of.dbd_agent_queue_size),
        ("sched_stats_timestamp", "When this was told, seconds since the epoch", int(of.req_time))]
    return [*(gauge(f"slurm_{name}", help, value) for name, help, value in numbers), *_exits(of)]


_SCHED_EXITS = {
    "end": "end_job_queue", "max_depth": "default_queue_depth", "max_job_start": "max_job_start", "lic": "licenses",
    "rpc_cnt": "max_rpc_cnt",
    "timeout": "max_sched_time"}
_BF_EXITS = {
    "end": "end_job_queue", "max_job_start": "bf_max_job_start", "max_job_test": "bf_max_job_test", "state_changed": "state_changed",
    "table_limit": "bf_node_space_size", "timeout": "bf_max_time"}


def _exits(of: Statistics) -> Iterator[Family]:
    for kind, names, counts in (("sched", _SCHED_EXITS, of.schedule_exit), ("bf", _BF_EXITS, of.bf_exit)):
        for name, why in names.items():
            yield gauge(f"slurm_{kind}_exit_{name}", f"Passes that ended by {why}", counts.get(why, 0))


def _mean(total: int, count: int) -> int:
    return total // count if count else 0


def process(daemon: str, facts: Mapping[str, Number]) -> list[Family]:
    """A daemon's process; `facts` as slurm.daemon.measures has them."""
    help = {
        "start_time_seconds": "When it began, seconds since the epoch", "cpu_seconds": "CPU time that it has used",
        "resident_memory_bytes": "Memory that it holds", "open_fds": "Files that it has open", "max_fds": "Files that it may have open"}
    return [Family(f"{daemon}_process_{name}", help[name], [({}, value)], COUNTER if name == "cpu_seconds" else "gauge")
        for name, value in facts.items()]


def slurmctld(of: Statistics, facts: Mapping[str, Number]) -> list[Family]:
    """GET /metrics/slurmctld: requests, journal and process; ours, Slurm has none of it."""
    kinds = {row.message_type: row for row in of.rpcs_by_message_type}
    own = [gauge(f"slurmctld_{name}", help, facts[name]) for name, help in _OWN.items() if name in facts]
    return [
        by("request", "slurmctld_requests", "Requests since the counters began", {name: row.count for name, row in kinds.items()}, COUNTER),
        by("request", "slurmctld_request_seconds", "Seconds that they took", {
            name: row.total_time / _MICRO for name, row in kinds.items()}, COUNTER),
        *own, *process("slurmctld", {name: value for name, value in facts.items() if name not in _OWN})]


_OWN = {
    "journal_sequence": "The number of the newest event", "journal_stalled": "Whether the disk takes no events",
    "connected_nodes": "Nodes whose slurmd is connected", "followers": "Connections that follow the cluster",
    "watched_jobs": "Commands that wait for a job"}


def slurmdbd(since: float, requests: Mapping[str, tuple[int, float]], rollups: Mapping[str, tuple[int, float]]) -> list[Family]:
    """GET /metrics/slurmdbd: how often and how many seconds, by kind of request and by cluster and kind of roll-up."""
    return [
        gauge("slurmdbd_counting_since_seconds", "When the counters began, seconds since the epoch", int(since)),
        by("request", "slurmdbd_requests", "Requests", {name: count for name, (count, _) in requests.items()}, COUNTER),
        by("request", "slurmdbd_request_seconds", "Seconds that they took", {name: took for name, (_, took) in requests.items()}, COUNTER),
        by("rollup", "slurmdbd_rollups", "Roll-ups", {name: count for name, (count, _) in rollups.items()}, COUNTER),
        by("rollup", "slurmdbd_rollup_seconds", "Seconds that they took", {name: took for name, (_, took) in rollups.items()}, COUNTER)]


def slurmrestd(requests: Mapping[tuple[str, str], tuple[int, float]], listeners: int, replicas: int,
        facts: Mapping[str, Number]) -> list[Family]:
    """GET /metrics/slurmrestd: requests by method and status, listeners and replicas."""
    labels = [({"method": method, "status": status}, of) for (method, status), of in requests.items()]
    return [
        Family("slurmrestd_requests", "Requests", [(label, count) for label, (count, _) in labels], COUNTER),
        Family("slurmrestd_request_seconds", "Seconds that they took", [(label, took) for label, (_, took) in labels], COUNTER),
        gauge("slurmrestd_listeners", "Who listens to changes", listeners),
        gauge("slurmrestd_replicas", "Replicas that they are told from", replicas), *process("slurmrestd", facts)]


