"""sdiag against the recorded session: the same counters, the same text."""

import io
import re

from slurm.commands import sdiag
from slurm.commands.shell import Shell
from tests.compat import lab
from tests.compat.transcript import find

_NAMES = re.compile(r"\t(?P<name>\S+)\s+\(\s*(?P<id>\d+)\) count:(?P<count>\d+)\s+ave_time:\d+\s+total_time:(?P<total>\d+)")

COUNTERS: dict[str, object] = {
    "cluster": "lab", "req_time": 1795221799.0, "req_time_start": 1795221761.0, "server_thread_count": 1, "jobs_submitted": 14, "jobs_started": 9,
    "jobs_completed": 9, "jobs_pending": 212, "jobs_running": 7, "job_states_ts": 1795221791.0, "schedule_cycle_last": 140, "schedule_cycle_max": 2003, "schedule_cycle_total": 19,
    "schedule_cycle_sum": 243 * 19, "schedule_cycle_depth": 2 * 19, "schedule_queue_length": 2, "schedule_exit": {"end_job_queue": 19},
    "bf_backfilled_jobs": 5, "bf_last_backfilled_jobs": 5, "bf_cycle_counter": 18, "bf_when_last_cycle": 1795221797.0, "bf_cycle_last": 279,
    "bf_cycle_max": 944, "bf_cycle_sum": 314 * 18, "bf_last_depth": 2, "bf_last_depth_try": 2, "bf_depth_sum": 36, "bf_depth_try_sum": 36,
    "bf_queue_len": 2, "bf_queue_len_sum": 36, "bf_table_size": 4, "bf_table_size_sum": 72, "bf_exit": {"end_job_queue": 18},
    "gettimeofday_latency": 24,
}


class Counted:
    """A connection that answers with these counters, and the requests of the recording."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    def call(self, message: dict[str, object]) -> dict[str, object]:
        """The counters."""
        self.sent.append(message)
        found = [match for line in find("accounting", "sdiag").stdout if (match := _NAMES.match(line))]
        of_users = [match for match in found if match["name"] in ("root", "bob")]
        kinds = [{"message_type": match["name"], "type_id": int(match["id"]), "count": int(match["count"]), "total_time": int(match["total"])}
                 for match in found if match not in of_users]
        users = [{"user": match["name"], "user_id": int(match["id"]), "count": int(match["count"]), "total_time": int(match["total"])} for match in of_users]
        return {"type": "StatisticsRead", "statistics": {**COUNTERS, "rpcs_by_message_type": kinds, "rpcs_by_user": users}}

    def send(self, message: dict[str, object]) -> None:
        """Nobody sends anything."""

    def receive(self, timeout: float | None = None) -> dict[str, object]:
        """Nothing comes."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def run(*argv: str) -> tuple[int, str, Counted]:
    """One sdiag: its status, its text, and what it asked."""
    lab.use_utc()
    counted, out = Counted(), io.StringIO()
    shell = Shell("sdiag", argv, {}, io.BytesIO(), out, io.StringIO(), connect=lambda environ: counted, now=lambda: 1795221799.0)
    return sdiag.main(shell), out.getvalue(), counted


def test_the_text_is_slurms() -> None:
    status, text, _ = run("-a")
    assert (status, tuple(text.split("\n")[:-1])) == (0, find("accounting", "sdiag").stdout)
