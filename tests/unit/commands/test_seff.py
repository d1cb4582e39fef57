"""seff as a command: what it says of jobs that were measured, were not, run, or never started."""

import io

from slurm.commands import seff
from slurm.commands.shell import Shell
from slurm.model.accounting import JobRecord, JobRow, StepRecord, Usage
from slurm.model.ids import Gid, JobId, StepId, Uid
from slurm.model.states import JobState
from tests.compat import past
from tests.compat.lab import Outcome

NOON = 1795262400.0
GB = 1024**3


def _row(*steps: StepRecord, **fields: object) -> JobRow:
    values: dict[str, object] = {
        "state": JobState.COMPLETED, "submit_time": NOON - 7200, "eligible_time": NOON - 7200, "start_time": NOON - 3600, "end_time": NOON - 1800.0,
        "allocated": {"cpu": 4, "mem": 8192, "node": 1}, "nodes": "cn01", "node_count": 1, **fields}
    return JobRow("lab", 1, JobRecord(id=JobId(7), uid=Uid(1001), gid=Gid(1001), user="alice", group="users", **values), list(steps))  # type: ignore[arg-type]


def _step(number: int, usage: Usage | None, **fields: object) -> StepRecord:
    values: dict[str, object] = {"name": "batch", "state": JobState.COMPLETED, "start_time": NOON - 3600, "end_time": NOON - 1800, "usage": usage, **fields}
    return StepRecord(job=JobId(7), step=StepId(number), **values)  # type: ignore[arg-type]


def _seff(*argv: str, of: JobRow | None = None) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    door = past.Past((of,) if of is not None else ())
    shell = Shell("seff", argv, {}, io.BytesIO(), out, err, connect=lambda environ: door, now=lambda: NOON)
    status = seff.main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)


def test_what_was_measured_is_set_against_what_was_held() -> None:
    row = _row(_step(-5, Usage(user_seconds=10.0, taken={"mem": past.used(GB)})), _step(0, Usage(3500.0, 90.0, {"mem": past.used(2 * GB)}), ntasks=4))
    assert _seff("7", of=row).stdout == """\
Job ID: 7
Cluster: lab
User/Group: alice/users
State: COMPLETED (exit code 0)
Cores: 4
CPU Utilized: 01:00:00
CPU Efficiency: 50.00% of 02:00:00 core-walltime
Job Wall-clock time: 00:30:00
Memory Utilized: 2.00 GB (estimated maximum)
Memory Efficiency: 25.00% of 8.00 GB (8.00 GB/node)
"""


def test_nothing_is_made_up_where_nothing_was_measured() -> None:
    lines = _seff("7", of=_row(_step(-5, None), exit_status=9 << 8, state=JobState.FAILED, memory_per_cpu=True)).stdout.splitlines()
    assert "State: FAILED (exit code 9)" in lines
    assert "CPU Utilized: not measured" in lines and "Memory Utilized: not measured" in lines and "Not measured: batch" in lines
    assert not [line for line in lines if "%" in line]


def test_short_jobs_are_measured_in_parts_of_a_second() -> None:
    row = _row(_step(-5, Usage(user_seconds=0.45)), start_time=NOON - 0.5, end_time=NOON, allocated={"cpu": 1})
    assert "CPU Efficiency: 90.00% of 00:00:00 core-walltime" in _seff("7", of=row).stdout


def test_gpus_are_reported_too() -> None:
    measured = Usage(user_seconds=1.0, taken={"gres/gpuutil": past.used(75)})
    row = _row(_step(0, measured, allocated={"gres/gpu": 2}), allocated={"cpu": 4, "mem": 8192, "gres/gpu": 2}, node_count=2, nodes="cn[01-02]")
    text = _seff("7", of=row).stdout
    assert "Nodes: 2\nCores per node: 2\n" in text and "GPUs: 2\nGPU Efficiency: 75.00% of 01:00:00 GPU-walltime\n" in text


def test_a_running_job_is_reported_with_a_warning_and_a_waiting_one_not_at_all() -> None:
    running = _seff("7", of=_row(_step(-5, Usage(user_seconds=5.0)), state=JobState.RUNNING, end_time=0.0)).stdout
    assert "State: RUNNING\n" in running and "WARNING" in running.splitlines()[-1]
    waiting = _seff("7", of=_row(state=JobState.PENDING, start_time=0.0, end_time=0.0, allocated={})).stdout
    assert waiting.splitlines()[-1] == "Efficiency not available for jobs in the PENDING state."


def test_tasks_of_arrays_have_their_array_beside_them() -> None:
    assert "Array Job ID: 5_2\n" in _seff("5_2", "--clusters=lab", of=_row(array_job=JobId(5), array_task=2)).stdout


def test_what_is_no_job_is_an_error() -> None:
    assert _seff("7").status == 1 and "Job not found." in _seff("7").stderr
    assert (_seff("x").status, _seff("x").stderr.splitlines()[0]) == (1, "seff: error: Invalid job id: x")
    assert _seff().status == 1
