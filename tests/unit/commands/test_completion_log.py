"""sacct --completion: the log of jobcomp/filetxt read back, filtered and laid out as sacct does."""

from __future__ import annotations

import io
from pathlib import Path

from slurm.commands import sacct
from slurm.commands.shell import Shell
from slurm.plugins.jobcomp_filetxt import line_of
from slurm.plugins.records import CompletedJob

T0 = 1_780_000_000.0
JOBS = [
    CompletedJob(cluster="lab", job_id=7, name="two words = three", user="alice", uid=1000, group="users", gid=100, partition="debug", state="COMPLETED",
                 submit_time=T0, eligible_time=T0, start_time=T0 + 5, end_time=T0 + 65, nodes="cn01", node_count=1, cpus=4, time_limit=600),
    CompletedJob(cluster="lab", job_id=9, array_job_id=8, array_task_id=1, name="arr", user="bob", uid=1001, group="users", gid=100,
                 partition="gpu", state="FAILED", exit_code=3, submit_time=T0, eligible_time=T0, start_time=T0 + 5, end_time=T0 + 70, nodes="cn02",
                 node_count=1, cpus=1, account="physics"),
]


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    """sacct -c with this log: status, output, errors."""
    log = folder / "comp.txt"
    log.write_text("".join(f"{line_of(job)}\n" for job in JOBS) + "a line that is none\n")
    out, err = io.StringIO(), io.StringIO()
    shell = Shell("sacct", ["-c", "-f", str(log), "-S", "2026-01-01", *words], {}, io.BytesIO(), out, err)
    return sacct.main(shell), out.getvalue(), err.getvalue()


def rows(folder: Path, *words: str) -> list[str]:
    status, out, err = run(folder, "-n", "-P", *words)
    assert (status, err) == (0, "")
    return out.splitlines()


def test_every_field_of_the_log_is_read_whatever_a_name_has_in_it(tmp_path: Path) -> None:
    assert rows(tmp_path, "-a", "-o", "jobid,jobidraw,jobname,user,uid,state,exitcode,elapsed,timelimit,nnodes,ncpus,nodelist") == [
        "7|7|two words = three|alice|1000|COMPLETED|0:0|00:01:00|00:10:00|1|4|cn01", "8_1|9|arr|bob|1001|FAILED|3:0|00:01:05|UNLIMITED|1|1|cn02"]
    assert run(tmp_path, "-a")[1].splitlines()[0].split() == ["JobID", "UID", "JobName", "Partition", "NNodes", "NodeList", "State", "End"]


def test_jobs_are_chosen_by_id_state_partition_and_account(tmp_path: Path) -> None:
    assert rows(tmp_path, "-j", "8", "-o", "jobidraw") == ["9"]
    assert rows(tmp_path, "-j", "8_2", "-o", "jobidraw") == []
    assert rows(tmp_path, "-a", "-s", "FAILED", "-E", "now", "-o", "jobidraw") == ["9"]
    assert rows(tmp_path, "-a", "-r", "debug", "-o", "jobidraw") == ["7"]
    assert rows(tmp_path, "-a", "-A", "physics", "-o", "jobidraw") == ["9"]


def test_what_the_log_has_not_is_said(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, "-o", "jobid,maxrss")
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == "sacct: error: MaxRSS is not in a job completion log"
    shell = Shell("sacct", ["-f", "x"], {}, io.BytesIO(), io.StringIO(), errors := io.StringIO())
    assert sacct.main(shell) == 1
    assert "add --completion" in errors.getvalue()
