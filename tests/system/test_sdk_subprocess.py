"""The subprocess backend: jobs as real processes, without a cluster."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm import Cluster, DependencyFailed, Executor, JobCancelled, JobTimeLimit, NotFinished, SubmissionError, TaskFailed, task, workflow


@task
def where(number: int = 0) -> tuple[int, int, str | None]:
    return number, os.getpid(), os.environ.get("SLURM_ARRAY_TASK_ID")


@task
def asleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@workflow
def flow(count: int) -> list[int]:
    return [number for number, _, _ in where.map(range(count)).results()]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster("subprocess", job_base_dir=tmp_path) as found:
        yield found
    found.close()


def test_a_job_is_a_process_and_an_array_one_an_item(cluster: Cluster) -> None:
    number, pid, index = where(5).result(20)
    assert (number, index) == (5, None)
    assert pid != os.getpid()
    assert [(number, index) for number, _, index in where.map([7, 8]).results(20)] == [(7, "0"), (8, "1")]


def test_a_job_that_runs_too_long_is_ended(cluster: Cluster) -> None:
    with pytest.raises(JobTimeLimit):
        asleep.with_options(time="00:00:01")(60).result(20)


def test_a_cancelled_job_says_so_and_those_after_it_never_run(cluster: Cluster) -> None:
    job = asleep(60)
    after = where.after(job)()
    with pytest.raises(NotFinished, match="it is RUNNING"):
        job.result(0.2)
    assert job.cancel()
    with pytest.raises(JobCancelled):
        job.result(20)
    with pytest.raises(DependencyFailed):
        after.result(20)
    assert not job.cancel()


def test_who_stops_waiting_for_a_job_in_the_queue_is_told_why_it_waits(cluster: Cluster) -> None:
    first = asleep(60)
    with pytest.raises(NotFinished, match="it is PENDING: it waits for other jobs"):
        where.after(first)().result(0.1)
    first.cancel()


def test_control_c_leaves_an_executor_at_once(cluster: Cluster) -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, Executor(cluster) as executor:
        future = executor.submit(time.sleep, 60)
        raise KeyboardInterrupt
    assert not future.done()
    assert stopped.value.__notes__[0].startswith(f"job {future.job.id} goes on without this program")
    future.job.cancel()


def test_a_process_that_kills_itself_has_failed_without_a_word(cluster: Cluster) -> None:
    def killed() -> None:
        os.kill(os.getpid(), 9)

    with pytest.raises(TaskFailed, match="Exit Code: 0:9"):
        task(killed)().result(20)


def test_a_workflow_runs_in_a_process_of_its_own(cluster: Cluster) -> None:
    assert flow(3).result(30) == [0, 1, 2]


@task
def noted(text: str) -> str:
    print(text)
    Path(f"{text}.txt").write_text(text)
    return os.getcwd()


@task
def size(name: str) -> int:
    return len(Path(name).read_text())


def test_a_job_runs_in_its_own_folder_or_where_it_is_told_to(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [noted("one"), *noted.map(["two", "three"])]
    for job, text in zip(jobs, ("one", "two", "three"), strict=True):
        assert job.result(20) == job.target_job_dir and Path(job.target_job_dir, f"{text}.txt").read_text() == text
    (here := tmp_path / "here").mkdir()
    assert jobs[0].download("one.txt", here).read_text() == "one" and (here / "one.txt").exists()
    assert jobs[1].download("three.txt", here / "other").samefile(here / "other")
    with pytest.raises(FileNotFoundError):
        jobs[0].download("none.txt", here / "none")
    assert sorted(os.listdir(here)) == ["one.txt", "other"]
    (here / "data").write_text("12345")
    monkeypatch.chdir(here)
    assert size.with_options(chdir=".")("data").result(20) == 5
    with Executor(cluster) as executor:
        assert executor.submit(os.getcwd).result(20) == str(here)
    with pytest.raises(FileNotFoundError) as caught:
        size("data").result(20)
    assert f"; there is one in {here}, from where it was submitted. Relative paths begin there" in caught.value.__notes__[0]
    with pytest.raises(FileNotFoundError) as caught:
        size("nowhere").result(20)
    assert "there is one" not in caught.value.__notes__[0]
    with pytest.raises(SubmissionError, match="chdir=/nowhere: there is no such folder"):
        size.with_options(chdir="/nowhere")("data")


@task
def found() -> list[str | None]:
    beside = subprocess.run([sys.executable, "-c", "import beside; print(beside.WORD)"], capture_output=True, text=True, check=False).stdout.strip()
    return [shutil.which("tool"), beside, os.environ.get("SAID"), os.environ.get("WRAPPED"), os.getcwd()]


@workflow
def found_below() -> list[str | None]:
    return found.with_options(chdir=".")().result()


def test_relative_paths_that_are_for_jobs_begin_where_the_program_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "the program"
    for name, text in {"bin/tool": "#!/bin/sh\n", "bin/python": f'#!/bin/sh\nWRAPPED=yes exec {sys.executable} "$@"\n', "src/beside.py": "WORD = 'beside'\n",
                       "env.sh": "export SAID=hello\n"}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
        (home / name).chmod(0o755)
    monkeypatch.chdir(home)
    for name, folder in (("PATH", "bin"), ("PYTHONPATH", "src")):
        monkeypatch.setenv(name, f"{folder}:{os.environ.get(name, '/')}")
    with Cluster("subprocess", job_base_dir="jobs", setup="source env.sh", default_packaging="none", default_packaging_python_executable="bin/python"):
        for job, folder in ((call := found(), call.target_job_dir), (found_below(), str(home))):
            assert job.result(30) == [f"{home}/bin/tool", "beside", "hello", "yes", folder]
    with Cluster("subprocess", job_base_dir=tmp_path, setup="cd /usr"):
        assert found().result(20)[-1] == "/usr"


@task
def told() -> None:
    logging.getLogger("of.mine").info("this far")
    logging.getLogger("of.mine").debug("too much")
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("of.mine").info("not this")


def test_what_a_task_logs_reaches_its_errors_until_it_says_otherwise(cluster: Cluster) -> None:
    job = told()
    job.result(20)
    assert job.stderr() == "INFO:of.mine:this far\n"


def test_output_goes_where_it_was_told_to(cluster: Cluster, tmp_path: Path) -> None:
    alone = noted.with_options(output="%x-%j.log", error=str(tmp_path / "%u.err"))("one")
    alone.result(20)
    assert alone.stdout_path == f"{alone.target_job_dir}/noted-{alone.id}.log" and alone.stdout() == Path(alone.stdout_path).read_text() == "one\n"
    assert alone.stderr() == "" and Path(alone.stderr_path).parent == tmp_path
    array = noted.with_options(output="all-%a.log", error="all-%a.log")
    elements = array.map(["two", "three"])
    assert elements.wait(20) and [job.stdout() for job in elements] == ["two\n", "three\n"]
    lost = noted.with_options(output="/proc/nowhere/out")("four")
    with pytest.raises(TaskFailed, match="its node could not open /proc/nowhere/out"):
        lost.result(20)


def test_a_job_of_several_tasks_is_refused(cluster: Cluster) -> None:
    with pytest.raises(SubmissionError, match=r"makes one process a job: several tasks \(ntasks, nodes\) take a cluster with srun"):
        where.with_options(ntasks=2)()
    assert where.with_options(ntasks=1)(3).result(20)[0] == 3


def test_a_dependency_it_cannot_keep_is_refused(cluster: Cluster) -> None:
    with pytest.raises(SubmissionError, match="no dependency but afterok"):
        where.with_options(dependency="singleton")()


POOLS = """
import multiprocessing, pickle, sys
from concurrent.futures import ProcessPoolExecutor
from slurm import Cluster, task

class Part:
    def __init__(self, number): self.number = number

def square(number): return Part(number * number)

def stored(function):
    def around(*args): return function(*args)
    around.__wrapped__ = function
    return around

@task
@stored
def spread(count, how):
    with ProcessPoolExecutor(2, multiprocessing.get_context(how)) as pool:
        parts = list(pool.map(square, range(count)))
    return pickle.loads(pickle.dumps(parts))

@task
def summed(parts): return sum(part.number for part in parts)

with Cluster("subprocess", job_base_dir=sys.argv[1]):
    forked, spawned = spread(3, "fork"), spread(3, "spawn")
    print(isinstance(forked.result(60)[0], Part), summed(forked).result(60), summed(spawned).result(60))
"""


def test_processes_that_a_task_of_a_script_starts_find_what_the_script_defines(tmp_path: Path) -> None:
    script = tmp_path / "pools.py"
    script.write_text(POOLS)
    done = subprocess.run([sys.executable, str(script), str(tmp_path / "jobs")], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "True 5 5\n"), done.stderr
