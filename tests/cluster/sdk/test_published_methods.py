"""What programs of the published SDK call: jobs made by hand, clusters on backends of their own, and the old methods of ours."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from slurm import ArrayJob, BackendCommandError, BackendTimeout, Cluster, Job, JobFailed, task
from slurm.sdk.backends import local
from slurm.sdk.backends.commands import CommandsBackend
from slurm.sdk.errors import BackendError
from slurm.sdk.published.backends import BackendBase, LocalBackend, create_backend, get_backend_from_config


class Theirs(BackendBase):
    """A backend as a user of the published SDK writes it: runs each script at once."""

    def __init__(self, remote: bool = False) -> None:
        self.remote = remote
        self.states: dict[str, dict[str, Any]] = {}

    def submit_job(self, script: str, target_job_dir: str, pre_submission_id: str, account: str | None = None, partition: str | None = None,
                   array_spec: str | None = None) -> str:
        number = str(len(self.states) + 1)
        Path(target_job_dir).mkdir(parents=True, exist_ok=True)
        for element in range(int(array_spec.partition("%")[0].partition("-")[2]) + 1) if array_spec else (None,):
            job = number if element is None else f"{number}_{element}"
            done = subprocess.run(["bash", "-c", script], env={"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(element)}, check=False)
            self.states[job] = {"JobState": "FAILED" if done.returncode else "COMPLETED", "ExitCode": f"{done.returncode}:0", "Account": account}
        return f"{number}_[{array_spec}]" if array_spec else number

    def get_job_status(self, job_id: str) -> dict[str, Any]:
        if job_id not in self.states:
            raise BackendCommandError(f"Job {job_id} not found in SLURM queue")
        return self.states[job_id]

    def cancel_job(self, job_id: str) -> bool:
        return True

    def get_queue(self) -> list[dict[str, Any]]:
        return [{"JOBID": job} for job in self.states]

    def get_cluster_info(self) -> dict[str, Any]:
        return {"partitions": []}

    def is_remote(self) -> bool:
        return self.remote

    def download_file(self, remote_path: str, local_path: str) -> None:
        Path(local_path).write_bytes(Path(f"{remote_path}").read_bytes())

    def upload_file(self, local_path: str, remote_path: str) -> None:
        Path(remote_path).parent.mkdir(parents=True, exist_ok=True)
        Path(remote_path).write_bytes(Path(local_path).read_bytes())


@task
def twice(number: int) -> int:
    return 2 * number


@task
def fail() -> None:
    raise ValueError("no")


class Asked(CommandsBackend):
    """Commands that answer what a test says."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__({})
        self.answers = answers
        self.words: list[Sequence[str]] = []

    def _run(self, *words: str) -> str:
        self.words.append(words)
        for start, answer in self.answers.items():
            if " ".join(words).startswith(start):
                return answer
        raise BackendCommandError("slurm_load_jobs error: Invalid job id specified")


@pytest.mark.parametrize("remote", [False, True])
def test_a_backend_with_the_published_methods_runs_calls_and_arrays(tmp_path: Path, remote: bool) -> None:
    with Cluster.from_backend(Theirs(remote), job_base_dir=tmp_path, default_account="lab") as cluster:
        assert twice(4).result(30) == 8
        assert twice.map([1, 2], max_concurrent=2).get_results(30) == [2, 4]
        assert cluster.get_queue()[0] == {"JOBID": "1"} and cluster.get_cluster_info() == {"partitions": []}
        bad = fail()
        with pytest.raises(JobFailed, match="State: FAILED"):
            bad.get_result(30)
        status = bad.get_status()
    assert (status["JobState"], status["Account"]) == ("FAILED", "lab")


def test_a_job_on_a_backend_of_ones_own_lies_where_its_status_says(tmp_path: Path) -> None:
    backend = Theirs()
    cluster = Cluster.from_backend(backend, job_base_dir=tmp_path, default_packaging_kwargs={"python_executable": "python3"}, packaging_defaults={"type": "none"})
    seen: Any = cluster.backend
    assert cluster.packaging_defaults == {"type": "none", "python_executable": "python3"} and seen.remote is False
    with Cluster.from_backend(backend, job_base_dir=tmp_path):
        job = twice(4)
    backend.states["7"] = {"JobState": "COMPLETED", "ExitCode": "0:0"}
    assert cluster.get_job("7").get_status()["JobState"] == "COMPLETED" and cluster.get_job("7").is_successful()
    with pytest.raises(RuntimeError, match="job 7 is none of a task"):
        cluster.get_job("7").get_result()
    with pytest.raises(RuntimeError, match="where job 99 lies is not known: Job 99 not found"):
        cluster.get_job("99").target_job_dir  # noqa: B018
    backend.states["7"] |= {"WorkDir": job.target_job_dir, "StdOut": job.stdout_path, "StdErr": job.stderr_path}
    found: Job[int] = cluster.get_job("7")
    assert (found.target_job_dir, found.pre_submission_id, found.stdout_path) == (job.target_job_dir, job.pre_submission_id, job.stdout_path)
    assert found.get_result() == 8


def test_a_local_backend_runs_commands_as_the_published_one_does(tmp_path: Path) -> None:
    backend = LocalBackend(job_base_dir=str(tmp_path / "base"), env={"WORD": "two words"}, timeout=20)
    assert backend.execute_command("echo $WORD | tr t T") == "Two words\n"
    with pytest.raises(BackendCommandError, match=r"ended with 3"):
        backend.execute_command("exit 3")
    backend.timeout = 0.1
    with pytest.raises(BackendTimeout, match=r"sleep 5 did not answer within 0.1 s"):
        backend.execute_command("sleep 5")


@pytest.mark.parametrize("id", [12, "", " ", None])
def test_what_is_no_id_of_a_job_is_refused(tmp_path: Path, id: Any) -> None:
    with pytest.raises(ValueError, match="a job has an id such as '12'"):
        Cluster("inline", job_base_dir=tmp_path).get_job(id)


def test_jobs_and_arrays_say_what_was_called_with_what(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path) as cluster:
        job, array, none = twice(number=4), twice.map([1, (job_of := twice(2),), {"number": 3}], max_concurrent=2), twice.map([])
    assert (job.task_func, job.args, job.kwargs, job.backend) == (twice, (), {"number": 4}, cluster.backend)
    assert (array.task, array.items, array.max_concurrent) == (twice, [1, (job_of,), {"number": 3}], 2)
    assert [(one.task_func, one.args, one.kwargs) for one in array] == [(twice, (1,), {}), (twice, (job_of,), {}), (twice, (), {"number": 3})]
    assert array.dependencies == [job_of]
    assert (none.task, none.items, none.dependencies, none.id) == (twice, [], [], "")
    other: Job[int] = cluster.get_job("12")
    assert (other.task_func, other.args, other.kwargs) == (None, (), {})


def test_an_array_made_by_hand_is_submitted(tmp_path: Path) -> None:
    cluster = Cluster("inline", job_base_dir=tmp_path)
    first: ArrayJob[int] = ArrayJob(twice, [1, 2], cluster)
    after: ArrayJob[int] = ArrayJob(task=twice, items=[(5,)], cluster=cluster, max_concurrent=1, dependencies=[first])
    assert first.get_results() == [2, 4] and after.get_results() == [10]
    with cluster:
        assert twice.map([3], max_concurrent=0).get_results() == [6]  # no limit
        with pytest.raises(ValueError, match="max_concurrent=-1 is no number of elements"):
            twice.map([3], max_concurrent=-1)
    assert cluster.submit(task_func=twice)(4).get_result() == 8
    assert (after.cluster, after.max_concurrent, after.dependencies) == (cluster, 1, [first])


def test_a_job_says_when_it_began_and_ended_but_not_what_slurm_expects_of_it(tmp_path: Path) -> None:
    said = "JobId=7 JobName=twice\n   JobState={0} Reason=None\n   StartTime=2026-11-21T06:35:11 EndTime=2026-11-21T07:35:11\n"
    began, ended = (datetime(2026, 11, 21, hour, 35, 11).timestamp() for hour in (6, 7))
    for state, expected in (("PENDING", (None, None)), ("RUNNING", (began, None)), ("COMPLETED", (began, ended))):
        backend = Asked({"scontrol show job 7": said.format(state), "squeue": f"7|{state}|0:0|None\n"})
        job: Job[int] = Job("7", Cluster.from_backend(backend), target_job_dir=tmp_path, pre_submission_id="key")
        assert (job.started_at, job.finished_at) == expected, state


def test_a_job_that_nobody_knows_has_no_status(tmp_path: Path) -> None:
    unknown: Job[int] = Cluster.from_backend(Asked({"squeue": ""}), job_base_dir=tmp_path).get_job("99")
    with pytest.raises(BackendError, match="the cluster knows no job 99, nor does its accounting"):
        unknown.get_status()
    with Cluster("inline", job_base_dir=tmp_path):
        assert twice(1).get_status()["JobState"] == "COMPLETED"


def test_the_folder_of_all_jobs_is_the_backends_and_stays_when_the_program_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = Theirs()
    theirs.job_base_dir = f"{tmp_path}/theirs"
    assert Cluster.from_backend(theirs).job_base_dir == f"{tmp_path}/theirs"
    assert Cluster.from_backend(create_backend("local", job_base_dir="ours")).job_base_dir == f"{tmp_path}/ours"
    assert Cluster.from_backend(theirs, job_base_dir="own").job_base_dir == f"{tmp_path}/own"
    cluster = Cluster("inline", job_base_dir="jobs")
    monkeypatch.chdir("/")
    backend: Any = cluster.backend
    assert cluster.job_base_dir == backend.job_base_dir == f"{tmp_path}/jobs"
    assert isinstance(backend, BackendBase) and not isinstance(backend, LocalBackend)
    assert isinstance(local.LocalBackend({}), LocalBackend)


def test_what_is_no_backend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="backend='local' is no object that submits jobs"):
        Cluster(backend="local", job_base_dir=tmp_path)  # type: ignore[arg-type]


def test_a_job_is_made_by_hand_from_its_folder_and_key(tmp_path: Path) -> None:
    backend = Theirs()
    with Cluster.from_backend(backend, job_base_dir=tmp_path):
        job, array = twice(4), twice.map([1, 2])
        job.wait()
    again: Job[int] = Job(id=job.id, cluster=type("Fake", (), {"backend": backend})(), target_job_dir=job.target_job_dir,
                          pre_submission_id=job.pre_submission_id)
    assert again.get_result() == 8 and again.stdout_path == job.stdout_path
    element: Job[int] = Job(array[1].id, backend=backend, target_job_dir=array[1].target_job_dir, pre_submission_id=array[1].pre_submission_id)
    assert element.get_result() == 4
    assert element.get_script() == array[0].get_script()
    with pytest.raises(ValueError, match="belongs to a cluster"):
        Job("1")
    for nothing in (" ", None, 12):
        with pytest.raises(ValueError, match="has an id"):
            Job(nothing, Cluster.from_backend(backend))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument 'target_dir'"):
        Job("1", backend=backend, target_dir=tmp_path)


def test_a_job_of_another_program_is_found_by_what_scontrol_says_of_it(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path) as inline:
        job, array = twice(3), twice.map([5, 6])
        del inline
    said = "JobId={} JobName=twice\n   JobState=COMPLETED Reason=None\n   ExitCode=0:0\n   Command={}\n   WorkDir=/home/ada\n   StdOut={}\n"
    answers = {
        "scontrol show job 7_1": said.format("9 ArrayJobId=7 ArrayTaskId=1", array.files.script, array[1].stdout_path),
        "scontrol show job 7": said.format(7, job.files.script, job.stdout_path),
        "scontrol show job 8": said.format(8, "/home/ada/other.sh", "/home/ada/slurm-8.out"),
        "scontrol show job 10": said.format(10, f"{job.files.script}.again1", job.stdout_path),
        "scontrol show job 12": said.format("13 ArrayJobId=12 ArrayTaskId=0", array.files.script, array[0].stdout_path),
        "scontrol show job 11": said.format("11 UserId=mallory(1002)", job.files.script, job.stdout_path),
        "squeue -h -r -t all -j 7": "7|COMPLETED|None\n7_1|COMPLETED|None\n"}
    cluster = Cluster.from_backend(Asked(answers))
    assert cluster.get_job("10").files.key == job.files.key
    with pytest.raises(RuntimeError, match="job 11 is a job of mallory: reading its result runs whatever code they put there"):
        cluster.get_job("11").get_result()
    found = cluster.get_job("7")
    assert (found.name, found.get_result(), found.target_job_dir, found.pre_submission_id) == ("twice", 6, job.target_job_dir, job.pre_submission_id)
    assert cluster.get_job("7_1").get_result() == 12
    assert found.get_status()["WorkDir"] == "/home/ada"
    with pytest.raises(RuntimeError, match="job 8 is none of a task: its script is /home/ada/other.sh"):
        cluster.get_job("8").get_result()
    with pytest.raises(RuntimeError, match='job 12 is an array; each of its elements is a job: cluster.get_job\\("12_0"\\)'):
        cluster.get_job("12").get_result()
    with pytest.raises(RuntimeError, match="where job 99 lies is not known"):
        cluster.get_job("99").get_result()
    with pytest.raises(AttributeError, match="'Job' object has no attribute 'finish'"):
        found.finish  # noqa: B018


def test_a_snapshot_and_a_tail_show_the_last_lines(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        job = task(_chatter)()
    shot = job.snapshot(tail_lines=2)
    assert (shot.state, shot.stdout_tail, shot.is_terminal, shot.is_successful) == ("COMPLETED", "line 8\nline 9", True, True)
    text = io.StringIO()
    job.tail(lines=1, output=text)
    assert text.getvalue() == "line 9\n"


def test_the_published_methods_of_our_backends_read_write_and_run(tmp_path: Path) -> None:
    backend = create_backend("local", job_base_dir=str(tmp_path / "jobs"), hostname=None)
    assert isinstance(backend, LocalBackend) and not backend.is_remote() and (tmp_path / "jobs").is_dir()
    backend.write_file(f"{tmp_path}/a/b", "text\nmore\n")
    assert backend.read_file(f"{tmp_path}/a/b") == "text\nmore\n"
    backend.download_file(f"{tmp_path}/a/b", f"{tmp_path}/c")
    backend.upload_file(f"{tmp_path}/c", f"{tmp_path}/d/e")
    assert (tmp_path / "d/e").read_text() == "text\nmore\n"
    lines: list[str] = []
    backend.tail_file(f"{tmp_path}/c", follow=False, lines=1, on_line=lines.append)
    assert lines == ["more"]
    assert backend.execute_command("echo one && echo two") == "one\ntwo\n"
    with pytest.raises(BackendCommandError, match="ended with 3"):
        backend.execute_command("exit 3")
    with pytest.raises(ValueError, match="Must be one of: ssh, local"):
        get_backend_from_config({"backend": "pbs"})


def test_a_script_submitted_by_hand_runs_from_its_folder(tmp_path: Path) -> None:
    backend = Asked({"sbatch": "12\n"})
    assert backend.submit_job("#!/bin/bash\ntrue\n", str(tmp_path / "j"), "key", account="lab", array_spec="0-9%2") == "12_[0-9%2]"
    path = tmp_path / "j/slurm_job_key_script.sh"
    assert path.read_text() == f"#!/bin/bash\n#SBATCH --chdir={tmp_path}/j\n#SBATCH --account=lab\ntrue\n"
    assert backend.words == [("sbatch", "--parsable", "--array=0-9%2", str(path))]


def test_the_jobs_of_an_account_are_those_that_accounting_kept() -> None:
    backend = Asked({"sacct": "7|ada|lab|COMPLETED|0:0|cpu=1|1|2026-11-21T06:35:11|2026-11-21T06:36:11|00:01:00|debug|a|b\n"})
    (row,) = backend.get_account_jobs("lab", "2026-11-01")
    assert (row["JobID"], row["JobName"], row["State"], row["AllocGRES"], row["Partition"]) == ("7", "a|b", "COMPLETED", "cpu=1", "debug")
    assert backend.words[0][4:10] == ("-A", "lab", "-S", "2026-11-01", "-E", "now")


def test_diagnose_never_raises_and_says_what_is_wrong(tmp_path: Path) -> None:
    told = Cluster.from_backend(Asked({}), job_base_dir=tmp_path).diagnose()
    assert not told["connectivity"]["success"] and told["slurm_commands"] == {"sbatch": "not found"}
    assert [text.partition(":")[0] for text in told["errors"]] == ["connectivity", "queue", "cluster_info"]
    with pytest.raises(BackendError):
        Cluster("inline", job_base_dir=tmp_path).get_queue()


def _chatter() -> None:
    for number in range(10):
        print("line", number)
