"""What sdiag prints of a controller's counters, as text and as the REST API has them. Light: it takes the reply of slurmctld as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Counters = Mapping[str, object]
Row = Mapping[str, object]
MAIN_EXITS = (
    ("end_job_queue", "End of job queue:"), ("default_queue_depth", "Hit default_queue_depth: "),
    ("max_job_start", "Hit sched_max_job_start: "),
    ("licenses", "Blocked on licenses: "), ("max_rpc_cnt", "Hit max_rpc_cnt: "), ("max_sched_time", "Timeout (max_sched_time): "),
)
BACKFILL_EXITS = (
    ("end_job_queue", "End of job queue:"), ("bf_max_job_start", "Hit bf_max_job_start: "), ("bf_max_job_test", "Hit bf_max_job_test: "),
    ("state_changed", "System state changed: "), ("bf_node_space_size", "Hit table size limit (bf_node_space_size): "),
    ("bf_max_time", "Timeout (bf_max_time): "),
)
_RULE = "*" * 55
BY_COUNT, BY_ID, BY_TIME, BY_AVERAGE = "count", "id", "time", "average"


def number(counters: Counters, key: str) -> int:
    """A counter as a whole number; what is not in the reply is 0."""
    value = counters.get(key, 0)
    return int(value) if isinstance(value, int | float) else 0


def rows(counters: Counters, key: str) -> list[Row]:
    """A list of counters."""
    found = counters.get(key, [])
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, Sequence) else []


def exits(counters: Counters, key: str) -> Counters:
    """What ended passes, by the reason's name."""
    found = counters.get(key, {})
    return found if isinstance(found, Mapping) else {}


def mean(total: int, count: int) -> int:
    """The mean as Slurm rounds it, down; 0 of nothing."""
    return total // count if count else 0


def lines(counters: Counters, clock: Mapping[str, str], order: str) -> Iterator[str]:
    """The lines of sdiag; `clock` has the report's moments as Slurm writes them, `order` sorts requests."""
    yield _RULE
    yield f"sdiag output at {clock['req_time']} ({number(counters, 'req_time')})"
    yield f"Data since      {clock['req_time_start']} ({number(counters, 'req_time_start')})"
    yield _RULE
    for label, key in (("Server thread count:  ", "server_thread_count"), ("RPC queue enabled:    ", ""),
            ("Agent queue size:     ", "agent_queue_size"),
                       ("Agent count:          ", "agent_count"), ("Agent thread count:   ", "agent_thread_count"),
                       ("DBD Agent queue size: ", "dbd_agent_queue_size")):
        yield f"{label}{number(counters, key)}"
    yield ""
    for label in ("submitted", "started", "completed", "canceled", "failed"):
        yield f"{f'Jobs {label}:':<16}{number(counters, f'jobs_{label}')}"
    yield ""
    yield f"Job states ts:  {clock['job_states_ts']} ({number(counters, 'job_states_ts')})"
    yield f"Jobs pending:   {number(counters, 'jobs_pending')}"
    yield f"Jobs running:   {number(counters, 'jobs_running')}"
    yield ""
    yield from _main(counters)
    yield from _backfill(counters, clock)
    yield f"Latency for 1000 calls to gettimeofday(): {number(counters, 'gettimeofday_latency')} microseconds"
    yield ""
    yield from _requests(counters, order)


def _main(counters: Counters) -> Iterator[str]:
    cycles = number(counters, "schedule_cycle_total")
    yield "Main schedule statistics (microseconds):"
    yield f"\tLast cycle:   {number(counters, 'schedule_cycle_last')}"
    yield f"\tMax cycle:    {number(counters, 'schedule_cycle_max')}"
    yield f"\tTotal cycles: {cycles}"
    if cycles:
        yield f"\tMean cycle:   {mean(number(counters, 'schedule_cycle_sum'), cycles)}"
        yield f"\tMean depth cycle:  {mean(number(counters, 'schedule_cycle_depth'), cycles)}"
    minutes = (number(counters, "req_time") - number(counters, "req_time_start")) // 60
    if minutes:
        yield f"\tCycles per minute: {cycles // minutes}"
    yield f"\tLast queue length: {number(counters, 'schedule_queue_length')}"
    yield ""
    yield "Main scheduler exit:"
    found = exits(counters, "schedule_exit")
    yield from (f"\t{label}{number(found, key)}" for key, label in MAIN_EXITS)
    yield ""


def _backfill(counters: Counters, clock: Mapping[str, str]) -> Iterator[str]:
    cycles = number(counters, "bf_cycle_counter")
    yield "Backfilling stats" + (" (WARNING: data obtained in the middle of backfilling execution.)" if counters.get("bf_active") else "")
    yield f"\tTotal backfilled jobs (since last slurm start): {number(counters, 'bf_backfilled_jobs')}"
    yield f"\tTotal backfilled jobs (since last stats cycle start): {number(counters, 'bf_last_backfilled_jobs')}"
    yield f"\tTotal backfilled heterogeneous job components: {number(counters, 'bf_backfilled_het_jobs')}"
    yield f"\tTotal cycles: {cycles}"
    if cycles:
        yield f"\tLast cycle when: {clock['bf_when_last_cycle']} ({number(counters, 'bf_when_last_cycle')})"
        yield f"\tLast cycle: {number(counters, 'bf_cycle_last')}"
        yield f"\tMax cycle:  {number(counters, 'bf_cycle_max')}"
        yield f"\tMean cycle: {mean(number(counters, 'bf_cycle_sum'), cycles)}"
    else:
        yield "\tLast cycle when: N/A"
    yield f"\tLast depth cycle: {number(counters, 'bf_last_depth')}"
    yield f"\tLast depth cycle (try sched): {number(counters, 'bf_last_depth_try')}"
    if cycles:
        yield f"\tDepth Mean: {mean(number(counters, 'bf_depth_sum'), cycles)}"
        yield f"\tDepth Mean (try depth): {mean(number(counters, 'bf_depth_try_sum'), cycles)}"
    yield f"\tLast queue length: {number(counters, 'bf_queue_len')}"
    if cycles:
        yield f"\tQueue length mean: {mean(number(counters, 'bf_queue_len_sum'), cycles)}"
    yield f"\tLast table size: {number(counters, 'bf_table_size')}"
    if cycles:
        yield f"\tMean table size: {mean(number(counters, 'bf_table_size_sum'), cycles)}"
    yield ""
    yield "Backfill exit"
    found = exits(counters, "bf_exit")
    yield from (f"\t{label}{number(found, key)}" for key, label in BACKFILL_EXITS)
    yield ""


def _requests(counters: Counters, order: str) -> Iterator[str]:
    yield "Remote Procedure Call statistics by message type"
    for row in _sorted(rows(counters, "rpcs_by_message_type"), order, "type_id"):
        yield f"\t{row['message_type']!s:<40}({number(row, 'type_id'):>5}) {_times(row)}"
    yield ""
    yield "Remote Procedure Call statistics by user"
    for row in _sorted(rows(counters, "rpcs_by_user"), order, "user_id"):
        yield f"\t{row['user']!s:<16}({number(row, 'user_id'):>8}) {_times(row)}"
    yield ""
    yield "Pending RPC statistics"
    yield "\tNo pending RPCs"


def _times(row: Row) -> str:
    count, total = number(row, "count"), number(row, "total_time")
    return f"count:{count:<6} ave_time:{mean(total, count):<6} total_time:{total}"


def _sorted(found: list[Row], order: str, identity: str) -> list[Row]:
    keys = {
        BY_ID: lambda row: (number(row, identity), 0), BY_TIME: lambda row: (-number(row, "total_time"), number(row, identity)),
        BY_AVERAGE: lambda row: (-mean(number(row, "total_time"), number(row, "count")), number(row, identity)),
        BY_COUNT: lambda row: (-number(row, "count"), 0)}
    return sorted(found, key=keys[order])


def record(counters: Counters) -> dict[str, object]:
    """The counters as `sdiag --json` and the REST API have them."""
    cycles, full = number(counters, "schedule_cycle_total"), number(counters, "bf_cycle_counter")
    minutes = (number(counters, "req_time") - number(counters, "req_time_start")) // 60
    plain = {key: number(counters, key) for key in (
        "server_thread_count", "agent_queue_size", "agent_count", "agent_thread_count", "dbd_agent_queue_size", "gettimeofday_latency",
        "schedule_cycle_max", "schedule_cycle_last", "schedule_cycle_sum", "schedule_cycle_total")}
    return {
        "parts_packed": 1,
        "req_time": _moment(counters, "req_time"), "req_time_start": _moment(counters, "req_time_start"),
        **plain,
        "schedule_cycle_mean": mean(number(counters, "schedule_cycle_sum"), cycles),
        "schedule_cycle_mean_depth": mean(number(counters, "schedule_cycle_depth"), cycles),
        "schedule_cycle_per_minute": mean(cycles, minutes),
        "schedule_cycle_depth": number(counters, "schedule_cycle_depth"),
        "schedule_exit": {key: number(exits(counters, "schedule_exit"), key) for key, _ in MAIN_EXITS},
        "schedule_queue_length": number(counters, "schedule_queue_length"),
        **{f"jobs_{word}": number(counters, f"jobs_{word}") for word in (
            "submitted", "started", "completed", "canceled", "failed", "pending", "running")},
        "job_states_ts": _moment(counters, "job_states_ts"),
        **_backfill_record(counters, full),
        "rpcs_by_message_type": [_request_record(row, ("message_type", "type_id")) for row in rows(counters, "rpcs_by_message_type")],
        "rpcs_by_user": [_request_record(row, ("user", "user_id")) for row in rows(counters, "rpcs_by_user")],
        "pending_rpcs": [],
        "pending_rpcs_by_hostlist": [],
    }


def _backfill_record(counters: Counters, cycles: int) -> dict[str, object]:
    sums = {"bf_cycle_mean": "bf_cycle_sum", "bf_depth_mean": "bf_depth_sum", "bf_depth_mean_try": "bf_depth_try_sum",
            "bf_queue_len_mean": "bf_queue_len_sum", "bf_table_size_mean": "bf_table_size_sum"}
    plain = ("bf_backfilled_jobs", "bf_last_backfilled_jobs", "bf_backfilled_het_jobs", "bf_cycle_counter", "bf_cycle_sum", "bf_cycle_last",
             "bf_cycle_max", "bf_last_depth", "bf_last_depth_try", "bf_depth_sum", "bf_depth_try_sum", "bf_queue_len", "bf_queue_len_sum",
             "bf_table_size", "bf_table_size_sum")
    return {
        **{key: number(counters, key) for key in plain},
        **{key: mean(number(counters, total), cycles) for key, total in sums.items()},
        "bf_exit": {key: number(exits(counters, "bf_exit"), key) for key, _ in BACKFILL_EXITS},
        "bf_when_last_cycle": _moment(counters, "bf_when_last_cycle"),
        "bf_active": bool(counters.get("bf_active")),
    }


def _request_record(row: Row, names: tuple[str, str]) -> dict[str, object]:
    count, total = number(row, "count"), number(row, "total_time")
    mean_time = {"set": bool(count), "infinite": False, "number": mean(total, count)}
    found: dict[str, object] = {names[0]: row[names[0]], names[1]: number(row, names[1]), "count": count}
    if names[1] == "type_id":
        found |= {"queued": 0, "dropped": 0}
    return {**found, "average_time": mean_time, "total_time": total}


def _moment(counters: Counters, key: str) -> dict[str, object]:
    return {"set": bool(number(counters, key)), "infinite": False, "number": number(counters, key)}
