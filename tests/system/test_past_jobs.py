"""sacct, sstat, seff, sreport, sdiag and slurm report on a cluster that was just started: what ran is told, while it runs and afterwards."""

from __future__ import annotations

import json

import pytest

from tests.system.harness import Cluster


def _rows(cluster: Cluster, *words: str) -> list[list[str]]:
    return [line.split("|") for line in cluster.ok(*words).splitlines()]


def _sacct(cluster: Cluster, job: str, fields: str) -> list[list[str]]:
    return _rows(cluster, "sacct", "-n", "-P", "-j", job, "-o", fields)


def _ended(cluster: Cluster, job: str, state: str) -> None:
    cluster.until(lambda: _sacct(cluster, job, "state")[:1] == [[state]], why=f"sacct does not say {state} of job {job}")


def test_a_job_is_known_at_once_while_it_runs_and_after_its_end(cluster: Cluster) -> None:
    script = "until [ -e go ]; do sleep 0.1; done; srun -n2 true; exit 3"
    job = cluster.ok("sbatch", "--parsable", "-n2", "--mem=200", "-J", "told", "--wrap", script).strip()
    cluster.until(lambda: _sacct(cluster, job, "jobid,jobname")[:1] == [[job, "told"]], why="sacct does not know what was just submitted")
    _ended(cluster, job, "RUNNING")
    cluster.until(lambda: _rows(cluster, "sstat", "-n", "-P", "-a", "-j", job, "-o", "jobid,ntasks") == [[f"{job}.batch", "1"]], why="sstat knows no step")
    cluster.ok("touch", "go")
    _ended(cluster, job, "FAILED")
    found = _sacct(cluster, job, "jobid,state,exitcode,derivedexitcode,alloccpus,reqmem,ntasks,nodelist")
    assert [row[:4] for row in found] == [[job, "FAILED", "3:0", "0:0"], [f"{job}.batch", "FAILED", "3:0", ""], [f"{job}.0", "COMPLETED", "0:0", ""]]
    assert [row[4] for row in found] == ["2", "2", "2"] and found[0][5] == "200M" and found[2][6] == "2" and found[0][7].startswith("cn")
    assert _sacct(cluster, f"{job}.batch", "maxrss")[0][0]
    told = cluster.ok("seff", job)
    assert "State: FAILED (exit code 3)\n" in told and "Memory Efficiency: " in told and "not measured" not in told


def test_arrays_cancelled_and_held_jobs_are_told_as_slurm_tells_them(cluster: Cluster) -> None:
    array = cluster.ok("sbatch", "--parsable", "--array=0-2", "--mem=100", "--wrap", "exit $SLURM_ARRAY_TASK_ID").strip()
    held = cluster.ok("sbatch", "--parsable", "-H", "--wrap", "hostname").strip()
    cluster.until(lambda: _sacct(cluster, held, "state,start,nodelist") == [["PENDING", "Unknown", "None assigned"]], why="sacct does not know the held job")
    assert held not in {row[0] for row in _rows(cluster, "sacct", "-n", "-P", "-X", "-o", "jobid")}
    cluster.ok("scancel", held)
    uid = cluster.ok("id", "-u").strip()
    _ended(cluster, held, f"CANCELLED by {uid}")
    assert _sacct(cluster, held, "start,elapsed") == [["None", "00:00:00"]]
    assert held in {row[0] for row in _rows(cluster, "sacct", "-n", "-P", "-X", "-o", "jobid")}
    cluster.until(lambda: sorted(_rows(cluster, "sacct", "-n", "-P", "-X", "-j", array, "-o", "jobid,state,exitcode")) == [
        [f"{array}_0", "COMPLETED", "0:0"], [f"{array}_1", "FAILED", "1:0"], [f"{array}_2", "FAILED", "2:0"]], why="the array's tasks are not told")
    assert sorted(_rows(cluster, "sacct", "-n", "-P", "-X", "-j", f"{array}_[1-2]", "-s", "F", "-o", "jobid")) == [[f"{array}_1"], [f"{array}_2"]]


def test_reports_and_counters_speak_of_what_ran(cluster: Cluster) -> None:
    job = cluster.ok("sbatch", "--parsable", "--mem=100", "--wrap", "true").strip()
    _ended(cluster, job, "COMPLETED")
    found = json.loads(cluster.ok("sacct", "-j", job, "--json"))["jobs"][0]
    assert (found["job_id"], found["state"]["current"], found["steps"][0]["step"]["name"]) == (int(job), ["COMPLETED"], "batch")
    assert json.loads(cluster.ok("slurm", "report", job, "--json"))["lines"][0]["key"] == job
    cluster.ok("slurm", "report", job, "--plot", str(cluster.work / "used.svg"))
    assert (cluster.work / "used.svg").read_text().startswith("<svg")
    assert job in cluster.ok("slurm", "jobs", "show", job)
    sizes = cluster.ok("sreport", "-n", "-P", "job", "sizesbyaccount", "PrintJobCount").split("|")
    assert int(sizes[2]) >= 1 and sizes[-1] == "100.00%\n"
    assert json.loads(cluster.ok("sdiag", "--json"))["statistics"]["jobs_completed"] >= 1


@pytest.mark.parametrize("words", [
    ["sacct", "--starttime=2024-01-01", "--format=JobID,JobName,User,State,ExitCode,MaxRSS"], ["sacct"], ["sacct", "-X", "-P", "--noheader"],
    ["sacct", "-j", "12345", "--format=JobID,JobName,State,Elapsed,TotalCPU,MaxRSS,ExitCode"], ["sacct", "-j", "1", "--format=JobID,State,ExitCode,DerivedExitCode"],
    ["sacct", "-X", "--parsable2", "--clusters", "all", "--noheader", "--format=JobIdRaw,State", "--starttime", "2026-11-19T04:00", "--endtime", "now", "--name", "x"],
    ["sacct", "-o", "JobID,State,NodeList", "--parsable2", "-j", "1", "-j", "2"], ["sacct", "-nu", "root", "-o", "Account%256"]])
def test_command_lines_of_the_manuals_and_of_clients_work(cluster: Cluster, words: list[str]) -> None:
    assert not cluster.ok(*words).startswith("sacct:")
