"""`slurm jobs` and `slurm cluster` on an embedded cluster, for people and as JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import Cluster
from tests.system.terminal import Terminal

NASTY = "a | b [red]JobState=FAILED[/red] [31m"


@pytest.fixture(autouse=True)
def tidy(cluster: Cluster) -> Iterator[None]:
    """No job of one test is seen by the next."""
    yield
    cluster.run("scancel", "-u", cluster.ok("id", "-un").strip())
    cluster.until(lambda: not cluster.ok("squeue", "-h"))


def answer(cluster: Cluster, *words: str, status: int = 0) -> Any:
    """What a subcommand answers to a program."""
    result = cluster.run("slurm", *words, "--json")
    assert result.status == status and not result.err, result
    return json.loads(result.out)


def sleeper(cluster: Cluster, *words: str, seconds: int = 300) -> str:
    """A job that runs until it is cancelled."""
    job = cluster.sbatch("--mem=50M", *words, "--wrap", f"echo begun; sleep {seconds}")
    cluster.until(lambda: "RUNNING" in cluster.states(job).values())
    return job


def on_terminal(cluster: Cluster, *words: str) -> Terminal:
    return Terminal(["slurm", *words], cluster.environment, cluster.work)


def test_list_shows_your_jobs_whatever_they_are_called(cluster: Cluster) -> None:
    assert cluster.ok("slurm", "jobs", "list").startswith("No jobs in queue of yours (--all ")
    job = sleeper(cluster, "-J", NASTY)
    waiting = cluster.sbatch("--mem=50M", "-J", "next", "-d", f"afterok:{job}", "--array=0-9", "--wrap", "true")
    out = cluster.ok("slurm", "jobs", "list")
    assert NASTY.replace("\x1b", "\\x1b") in out and "\x1b" not in out
    assert "11 jobs: 10 pending, 1 running" in out
    found = answer(cluster, "jobs", "list")
    assert found["counts"] == {"PENDING": 10, "RUNNING": 1}
    by_id = {one["id"]: one for one in found["jobs"]}
    assert by_id[job]["name"] == NASTY and by_id[job]["nodelist"] == "cn01"
    assert by_id[f"{waiting}_[0-9]"]["why"] == "it waits for other jobs"
    assert [one["id"] for one in answer(cluster, "jobs", "list", "--state", "running")["jobs"]] == [job]
    assert answer(cluster, "jobs", "list", "--user", "nobody") == {"jobs": [], "counts": {}}


def test_a_list_fits_a_terminal_of_80_columns(cluster: Cluster) -> None:
    sleeper(cluster, "-J", "a very long name of a job that would not fit beside everything else " * 2, "-p", "debug")
    terminal = on_terminal(cluster, "jobs", "list")
    assert terminal.status() == 0
    assert "1 job: 1 running" in terminal.seen and "…" in terminal.seen
    assert max(map(len, terminal.seen.splitlines())) <= 80
    assert "cn01" in terminal.seen


def test_words_that_mean_nothing_are_refused_with_those_that_do(cluster: Cluster) -> None:
    assert answer(cluster, "jobs", "list", "--partition", "nope", status=1)["error"] == {
        "kind": "UnknownPartition", "message": "there is no partition nope", "hint": "valid: debug, gpu"}
    assert answer(cluster, "jobs", "show", "12.x", status=1)["error"]["kind"] == "InvalidJobId"
    assert answer(cluster, "jobs", "show", "999999", status=1)["error"]["kind"] == "UnknownJob"
    assert "node_fail" in answer(cluster, "jobs", "list", "--state", "lazy", status=1)["error"]["hint"]
    result = cluster.run("slurm", "jobs", "list", "--nonsense")
    assert result.status == 2 and result.err.startswith("usage: slurm jobs list") and "unrecognized arguments: --nonsense" in result.err
    wrong = answer(cluster, "jobs", "lst", status=2)["error"]
    assert wrong["kind"] == "UsageError" and wrong["message"] == "slurm jobs has no command lst; did you mean list?" and wrong["hint"].startswith("usage: slurm jobs")
    assert answer(cluster, "jobs", "cancel", status=1)["error"]["message"] == "name the jobs to cancel, or --all-mine"


def test_show_tells_why_a_job_waits_where_it_writes_and_how_it_ended(cluster: Cluster) -> None:
    held = cluster.sbatch("--mem=50M", "--hold", "-J", NASTY, "--comment", "two words", "-o", "my %j.out", "--wrap", "true")
    sheet = cluster.ok("slurm", "jobs", "show", held)
    assert "its owner holds it: `scontrol release` lets it go" in sheet
    assert f"{cluster.work}/my {held}.out" in sheet and "two words" in sheet
    failed, _ = cluster.finish("--mem=50M", "--wrap", "exit 3")
    (found,) = answer(cluster, "jobs", "show", failed)["jobs"]
    assert (found["state"], found["exit_code"], found["why"]) == ("FAILED", "3:0", "its program ended with another exit code than 0")
    assert "3:0 (its program ended with 3)" in cluster.ok("slurm", "jobs", "show", failed)


def test_explain_tells_why_a_job_waits_and_for_whom(cluster: Cluster) -> None:
    assert cluster.ok("slurm", "explain") == "No job of yours waits.\n"
    job = sleeper(cluster, "-J", NASTY, "--exclusive", "-w", "cn01", "-t", "10")
    waits = cluster.sbatch("--mem=50M", "-J", "next", "-w", "cn01", "--wrap", "true")
    later = cluster.sbatch("--mem=50M", "-J", "last", "-d", f"afterok:{waits}", "--wrap", "true")
    cluster.until(lambda: "expected to start" in cluster.ok("slurm", "explain", waits))
    out = cluster.ok("slurm", "explain")
    assert f"Job {waits} (next, " in out and "It is expected to start in " in out and " on cn01, after\n  job " + job in out
    assert f"Job {later} (last, " in out and "it waits for other jobs (Dependency)" in out and "\x1b" not in out
    found = answer(cluster, "explain", waits, job)
    assert [one["state"] for one in found["jobs"]] == ["PENDING", "RUNNING"]
    assert [one["job"] for one in found["jobs"][0]["holders"]] == [job] and found["unknown"] == []
    assert answer(cluster, "explain", "99999", status=1) == {"jobs": [], "unknown": ["99999"]}
    assert answer(cluster, "explain", "x", status=1)["error"]["kind"] == "InvalidJobId"


def test_show_has_a_line_for_each_element_of_an_array(cluster: Cluster) -> None:
    job = sleeper(cluster, "--array=1-6%2")
    found = answer(cluster, "jobs", "show", job)["jobs"]
    assert sorted(one["id"] for one in found) == [f"{job}_1", f"{job}_2", f"{job}_[3-6%2]"]
    assert [one["id"] for one in answer(cluster, "jobs", "show", f"{job}_2")["jobs"]] == [f"{job}_2"]
    assert [one["id"] for one in answer(cluster, "jobs", "show", f"{job}_4")["jobs"]] == [f"{job}_[3-6%2]"]
    assert "as many elements of its array run as may at once" in cluster.ok("slurm", "jobs", "show", job)
    assert answer(cluster, "jobs", "show", f"{job}_9", status=1)["error"]["kind"] == "UnknownJob"


def test_logs_follow_a_job_to_its_end_and_show_the_last_lines_after_it(cluster: Cluster) -> None:
    job = cluster.sbatch("--mem=50M", "-e", "errors", "--wrap", "for i in 1 2 3; do echo line $i; sleep 0.3; done; echo bad >&2")
    assert cluster.ok("slurm", "jobs", "logs", "-f", job) == "line 1\nline 2\nline 3\n"
    assert cluster.ok("slurm", "jobs", "logs", job, "-n", "1") == "line 3\n"
    assert cluster.ok("slurm", "jobs", "tail", job, "--stderr", "--no-follow") == "bad\n"
    assert answer(cluster, "jobs", "logs", job)["files"] == [
        {"job": job, "path": f"{cluster.work}/slurm-{job}.out", "text": "line 1\nline 2\nline 3\n"}]


def test_logs_of_an_array_stand_behind_the_names_of_its_elements_also_of_those_that_wait(cluster: Cluster) -> None:
    job = cluster.sbatch("--mem=50M", "--array=0-3%1", "--wrap", "echo here is $SLURM_ARRAY_TASK_ID")
    lines = cluster.ok("slurm", "jobs", "logs", "-f", job).splitlines()
    assert sorted(lines) == [f"{job}_{task}: here is {task}" for task in range(4)]
    assert cluster.ok("slurm", "jobs", "logs", f"{job}_2") == "here is 2\n"


def test_logs_say_why_there_are_none(cluster: Cluster) -> None:
    held = cluster.sbatch("--mem=50M", "--hold", "--wrap", "true")
    error = answer(cluster, "jobs", "logs", held, status=1)["error"]
    assert error["kind"] == "NothingWritten" and "its owner holds it" in error["hint"]
    silent = sleeper(cluster, "-o", "/dev/null")
    assert "writes its standard output to /dev/null" in cluster.run("slurm", "jobs", "logs", silent).err
    gone = sleeper(cluster)
    (cluster.work / f"slurm-{gone}.out").unlink()
    assert cluster.run("slurm", "jobs", "logs", gone).err == f"slurm: {cluster.work}/slurm-{gone}.out is not there\n"


def test_a_reader_that_goes_away_and_ctrl_c_end_a_log_quietly(cluster: Cluster) -> None:
    job = sleeper(cluster)
    cluster.until(lambda: "begun" in cluster.ok("slurm", "jobs", "logs", job))
    piped = cluster.run("bash", "-c", f"set -o pipefail; slurm jobs list | true; slurm jobs logs {job} | head -1")
    assert (piped.out, piped.err) == ("begun\n", "")
    following = cluster.spawn("slurm", "jobs", "logs", "-f", job)
    assert following.stdout is not None and following.stdout.readline() == "begun\n"
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=20)
    assert following.returncode == 130 and "Traceback" not in err


def test_cancel_says_what_became_of_each(cluster: Cluster) -> None:
    running = sleeper(cluster)
    array = sleeper(cluster, "--array=0-5%2")
    over, _ = cluster.finish("--mem=50M", "--wrap", "true")
    found = answer(cluster, "jobs", "cancel", running, f"{array}_[4-5]", over, "999999", status=1)["jobs"]
    assert {one["id"]: one["message"] for one in found} == {
        running: "cancelled, it was RUNNING", f"{array}_4": "cancelled, it was PENDING", f"{array}_5": "cancelled, it was PENDING",
        over: "it had ended already: COMPLETED", "999999": "the cluster knows no such job"}
    assert [one["cancelled"] for one in found] == [True, True, True, False, False]
    assert cluster.state(f"{array}_0") == "RUNNING"
    assert cluster.ok("slurm", "jobs", "cancel", "--all-mine").count("cancelled, it was") == 4
    assert cluster.ok("slurm", "jobs", "cancel", "--all-mine") == "You have no jobs to cancel.\n"


def test_cancel_asks_on_a_terminal(cluster: Cluster) -> None:
    job = sleeper(cluster, "-J", "precious")
    no = on_terminal(cluster, "jobs", "cancel", job)
    no.until(f"Cancel 1 job: 1 running ({job} precious)? [y/N]")
    no.type("\x04")
    assert no.status() == 1 and "Nothing was cancelled." in no.seen
    assert cluster.state(job) == "RUNNING"
    yes = on_terminal(cluster, "jobs", "cancel", job)
    yes.until("[y/N]")
    yes.type("y\r")
    assert yes.status() == 0 and f"{job}: cancelled, it was RUNNING" in yes.seen
    again = sleeper(cluster)
    assert on_terminal(cluster, "jobs", "cancel", "-f", again).status() == 0


def watched(cluster: Cluster, word: str, held: str) -> tuple[int, str]:
    """What `slurm jobs watch` exits with and prints, where the held job is released once it is seen."""
    watch = cluster.spawn("slurm", "jobs", "watch", word, "-i", "0.2")
    assert watch.stdout is not None
    first = watch.stdout.readline()
    cluster.ok("scontrol", "release", held)
    rest, _ = watch.communicate(timeout=60)
    return watch.returncode, first + rest


def test_watch_ends_with_the_job_and_as_the_job(cluster: Cluster) -> None:
    job = cluster.sbatch("--mem=50M", "-J", "short", "--hold", "--wrap", "exit 4")
    status, out = watched(cluster, job, job)
    assert status == 4
    assert "short" in out and "→ FAILED" in out
    last = json.loads(cluster.run("slurm", "jobs", "watch", job, "--json").out.splitlines()[-1])
    assert (last["id"], last["state"]) == (job, "FAILED")
    array = cluster.sbatch("--mem=50M", "--array=0-2%1", "-J", "sweep", "--hold", "--wrap", "sleep 0.2")
    status, out = watched(cluster, "swe", array)
    assert status == 0 and f"{array}_2" in out, out
    assert cluster.run("slurm", "jobs", "watch", "999999").status == 1
    assert cluster.ok("slurm", "jobs", "watch") == "No jobs in queue to watch.\n"
    assert cluster.ok("slurm", "jobs", "watch", array, "--account", "nobody") == f"No jobs in queue to watch of account nobody among {array}.\n"


def test_watch_draws_on_a_terminal(cluster: Cluster) -> None:
    job = sleeper(cluster, "-J", "drawn")
    terminal = on_terminal(cluster, "jobs", "watch", job, "-i", "0.3")
    terminal.until("RUNNING")
    cluster.ok("scancel", job)
    assert terminal.status() == 1  # it was cancelled and has no exit code of its own
    assert "1 job: 1 cancelled" in terminal.seen


def test_connect_opens_a_shell_in_the_job(cluster: Cluster) -> None:
    job = sleeper(cluster, "-N2")
    assert answer(cluster, "jobs", "connect", job)["command"][:3] == ["srun", f"--jobid={job}", "--overlap"]
    terminal = on_terminal(cluster, "jobs", "connect", job, "--node", "cn02")
    terminal.type("echo in-$SLURM_JOB_ID-on-$SLURMD_NODENAME; exit 5\r")
    terminal.until(f"in-{job}-on-cn02")
    assert terminal.status() == 5
    assert "it runs on cn[01-02]" in answer(cluster, "jobs", "connect", job, "--node", "cn04", status=1)["error"]["hint"]
    assert "needs a terminal" in cluster.run("slurm", "jobs", "connect", job).err
    held = cluster.sbatch("--mem=50M", "--hold", "--wrap", "true")
    assert f"job {held} is PENDING" in cluster.run("slurm", "jobs", "connect", held).err
    assert answer(cluster, "jobs", "debug", job) == {"job": job, "node": "cn01", "host": "127.0.0.1", "port": 5678}
    assert "--wait waits for it" in answer(cluster, "jobs", "debug", held, status=1)["error"]["hint"]


def test_the_cluster_is_shown_with_what_keeps_its_nodes_from_working(cluster: Cluster) -> None:
    job = sleeper(cluster, "--gpus=1", "-c4")
    cluster.ok("scontrol", "update", "nodename=cn03", "state=drain", "reason=bad disk")
    try:
        found = answer(cluster, "cluster", "show")
        shown = cluster.ok("slurm", "cluster", "show")
    finally:
        cluster.ok("scontrol", "update", "nodename=cn03", "state=resume")
    nodes = {node["name"]: node for node in found["nodes"]}
    assert (nodes["cn01"]["cpus_allocated"], nodes["cn01"]["gpus_allocated"], nodes["cn03"]["usable"], nodes["cn03"]["reason"]) == (4, 1, False, "bad disk")
    assert found["jobs"] == {"RUNNING": 1} and [one["name"] for one in found["partitions"]] == ["debug", "gpu"], job
    assert "cn03 is IDLE+DRAIN: bad disk (" in shown and "4 of 64 CPUs in use; 1 of 8 GPUs; 1 running" in shown


def test_a_slurmfile_says_which_cluster_is_meant(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "Slurmfile.toml"
    file.write_text('[default.cluster]\nbackend = "local"\n[far.cluster]\nbackend = "ssh"\nhostname = "127.0.0.1"\nport = 1\npassword = "hunter2"\n'
                    '[alone.cluster]\nbackend = "inline"\n[wrong]\nclutser = 1\n')
    listed = answer(cluster, "cluster", "list", "-f", str(file))
    assert [one["name"] for one in listed["environments"]] == ["default", "far", "alone", "wrong"]
    assert listed["environments"][1]["hostname"] == "127.0.0.1" and "hunter2" not in json.dumps(listed)
    assert "clutser is unknown; did you mean cluster?" in listed["environments"][3]["error"]
    assert answer(cluster, "jobs", "list", "-f", str(file)) == {"jobs": [], "counts": {}}
    assert "cannot be reached" in answer(cluster, "jobs", "list", "-f", str(file), "-e", "far", status=1)["error"]["message"]
    assert "no queue to look at" in answer(cluster, "jobs", "list", "-f", str(file), "-e", "alone", status=1)["error"]["message"]
    assert "it has alone, default, far, wrong" in answer(cluster, "jobs", "list", "-f", str(file), "-e", "other", status=1)["error"]["message"]
    assert answer(cluster, "jobs", "list", "-f", "nowhere.toml", status=1)["error"]["kind"] == "SlurmfileNotFoundError"
    assert answer(cluster, "cluster", "list") == {"slurmfile": None, "environments": []}
    assert answer(cluster, "cluster", "connect", "-f", str(file)) == {"environment": "far", "host": "127.0.0.1:1"}


def test_where_there_is_no_cluster_none_is_started(cluster: Cluster, tmp_path: Path) -> None:
    nowhere = {"XDG_STATE_HOME": str(tmp_path)}
    result = cluster.run("slurm", "jobs", "list", env=nowhere)
    assert result.status == 1 and "start one with `slurm up`" in result.err
    assert json.loads(cluster.run("slurm", "cluster", "show", "--json", env=nowhere).out)["error"]["kind"] == "BackendError"
    assert not list(tmp_path.iterdir())


def test_up_and_down_answer_programs_too(cluster: Cluster) -> None:
    up = answer(cluster, "up")
    assert (up["changed"], up["nodes"], up["gpus"], up["emulated"]) == (False, ["cn01", "cn02", "cn03", "cn04"], 2, True)
    assert "runs with 4 emulated nodes" in answer(cluster, "up", "--nodes", "9", status=1)["error"]["message"]
    assert answer(cluster, "--name", "absent", "down")["changed"] is False


def test_cleanup_removes_what_it_said_it_would(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "Slurmfile.toml").write_text(f'[default.cluster]\nbackend = "local"\njob_base_dir = "{tmp_path}/jobs"\n')
    (tmp_path / "once.py").write_text(
        "from slurm import Cluster, task\n\n@task(mem='50M')\ndef once():\n    return 1\n\nwith Cluster.from_env():\n    print(once().result())\n")
    env = {"SLURMFILE": str(tmp_path / "Slurmfile.toml")}
    assert cluster.ok(sys.executable, str(tmp_path / "once.py"), env=env) == "1\n"
    planned = json.loads(cluster.ok("slurm", "jobs", "cleanup", "--older-than", "0", "--dry-run", "--json", env=env))
    (folder,) = [one["path"] for one in planned["removed"] if one["kind"] == "job"]
    assert planned["dry_run"] and planned["size"] > 0 and Path(folder).is_dir()
    assert "removed nothing" in cluster.ok("slurm", "jobs", "cleanup", env=env)
    terminal = Terminal(["slurm", "jobs", "cleanup", "--older-than", "0"], {**cluster.environment, **env}, cluster.work)
    terminal.until("Remove them? [y/N]")
    terminal.type("\r")
    assert terminal.status() == 1 and Path(folder).is_dir()
    assert "removed 1 folders of jobs" in cluster.ok("slurm", "jobs", "cleanup", "--older-than", "0", env=env)
    assert not Path(folder).exists()
    assert "'soon' is no age" in cluster.run("slurm", "jobs", "cleanup", "--older-than", "soon").err


def test_an_ended_job_is_explained_with_its_exit_status_what_helps_and_the_last_lines_of_its_error_file(cluster: Cluster) -> None:
    job, status = cluster.finish("-e", "wrong.err", "-o", "wrong.out", "--wrap", "no-such-program-at-all")
    assert status == 127
    said = cluster.ok("slurm", "explain", job).splitlines()
    assert "with exit status 127: a command of its script was not found" in said[0]
    assert any(line.startswith("What may help: name the command by its whole path") for line in said)
    assert said[-2] == f"The last lines of {cluster.work}/wrong.err:" and "no-such-program-at-all: " in said[-1]
