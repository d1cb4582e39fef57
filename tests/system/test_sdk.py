"""The SDK on an embedded cluster: the samples of its concept page, results, failures, arrays, workflows."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import slurm
from slurm import (
    Cluster,
    DependencyFailed,
    Executor,
    JobCancelled,
    JobContext,
    JobOutOfMemory,
    JobTimeLimit,
    NotFinished,
    RemoteTraceback,
    TaskFailed,
    WorkflowContext,
    task,
    workflow,
)
from tests.system.empty_task import empty
from tests.system.harness import Cluster as Daemons

HERE = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUICK = 0.4
"""Seconds that an empty task may take from its call to its result."""


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Four emulated nodes that are large enough for the samples, as the cluster that this process finds."""
    found = Daemons(tmp_path_factory.mktemp("sdk") / "c", "--nodes", "4", "--cpus", "32", "--memory", "64G", "--gpus", "h100:4")
    found.up()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SLURM", "SBATCH"))]:
            patch.delenv(name)
        for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH", "PYTHONPATH"):
            patch.setenv(name, found.environment[name])
        yield found
    found.close()


@pytest.fixture(params=["local", "commands"])
def cluster(request: pytest.FixtureRequest, daemons: Daemons, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster by its own protocol, and through the commands on PATH."""
    with Cluster(request.param, job_base_dir=tmp_path / "jobs", mem="100M", time="5") as found:
        yield found
    found.close()


@pytest.fixture
def local(daemons: Daemons, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster by its own protocol."""
    with Cluster(job_base_dir=tmp_path / "jobs", mem="100M", time="5") as found:
        yield found
    found.close()


@task
def add(left: int, right: int = 1) -> int:
    return left + right


@task
def total(values: Any) -> int:
    return sum(values)


@task
def fail(text: str) -> None:
    raise ValueError(text)


@task
def asleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task(ntasks=3)
def rank_of(job: JobContext) -> tuple[int | None, int | None]:
    return job.rank, job.world_size


@workflow
def pipeline(ctx: WorkflowContext, count: int, log: str) -> tuple[int, str]:
    def noted(number: int) -> int:
        with open(log, "a") as file:
            file.write("x")
        return number * 2

    parts = task(noted).map(range(count))
    parts.wait()
    if os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
        time.sleep(60)
    return total(parts).result(30), ctx.workflow_job_id


@task
def kept(text: str) -> str:
    print(text)
    Path(f"{text}.txt").write_text(text)
    return os.getcwd()


def test_a_job_runs_in_its_own_folder(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    alone = kept.with_options(output="own-%j.txt")("one")
    array = kept.with_options(output="own-%a.txt").map(["two", "three"])
    numbered = kept.with_options(output="%j.txt").map(["four"])
    there = kept.with_options(chdir=".")("five")
    assert [one.result(60) for one in (alone, *array)] == [one.target_job_dir for one in (alone, *array)]
    assert Path(array[0].target_job_dir, "three.txt").read_text() == "three"
    assert [one.stdout() for one in (alone, *array)] == ["one\n", "two\n", "three\n"]
    assert Path(alone.stdout_path) == Path(alone.target_job_dir, f"own-{alone.id}.txt")
    assert numbered.wait(60) and numbered[0].stdout() == "four\n"
    assert there.result(60) == str(tmp_path) and Path("five.txt").exists()
    with pytest.raises(FileNotFoundError) as missed:
        task(os.stat)("five.txt").result(60)
    assert f"; there is one in {tmp_path}, from where it was submitted" in missed.value.__notes__[0]
    with Executor(cluster) as executor:
        assert executor.submit(os.getcwd).result(60) == str(tmp_path)


def test_a_call_a_failure_and_a_fan_in(cluster: Cluster) -> None:
    first = add(1, right=2)
    array = add.map([10, (20, 2), {"left": 30, "right": 3}])
    joined = total([first, *array])
    bad = fail("no good")
    never = add.after(bad)(1)
    assert joined.result(60) == 3 + 11 + 22 + 33
    assert total(array).result(60) == 66
    with pytest.raises(ValueError, match="no good") as caught:
        bad.result(60)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "raise ValueError(text)" in str(caught.value.__cause__)
    assert "no good" in bad.stderr()
    with pytest.raises(DependencyFailed):
        never.result(60)


def test_closures_and_what_main_defines_travel(daemons: Daemons, tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from slurm import task, Cluster\nclass Box:\n    def __init__(self, n): self.n = n\nclass Full(Exception): pass\n"
        "def doubled(n): return n * 2\n@task(mem='100M')\ndef pack(n):\n    if n > 5: raise Full(n)\n    return Box(doubled(n))\n"
        f"with Cluster(job_base_dir={str(tmp_path)!r}):\n    offset = 3\n    box = pack(4).result(60)\n    assert isinstance(box, Box) and box.n == 8\n"
        "    print(task(lambda n: n + offset, mem='100M')(4).result(60))\n    try:\n        pack(6).result(60)\n    except Full as full:\n"
        "        print('full', full)\n")
    assert daemons.ok(sys.executable, str(script)) == "7\nfull 6\n"


def test_fifty_elements(local: Cluster) -> None:
    array = add.map(range(50), max_concurrent=20)
    assert array.results(120) == list(range(1, 51))
    assert array.status() == {"COMPLETED": 50}
    assert "elements=50" in repr(array)


def test_an_array_longer_than_the_cluster_allows_is_cut(local: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.backend, "max_array", lambda: 60)
    array = task(lambda number: print(number) or number).map(range(110))
    assert [chunk.size for chunk in array.chunks] == [60, 50]
    assert array.results(200) == list(range(110))
    assert (array[0].stdout(), array[109].stdout()) == ("0\n", "109\n")
    assert total(array).result(60) == sum(range(110))


def test_a_cancelled_job_says_so(cluster: Cluster) -> None:
    slow = asleep(300)
    with pytest.raises(NotFinished, match="did not reach a terminal state within timeout=0.3 s"):
        slow.result(0.3)
    assert slow.cancel()
    with pytest.raises(JobCancelled, match="State: CANCELLED"):
        slow.result(20)


def test_jobs_that_the_cluster_ends_say_why(local: Cluster, daemons: Daemons) -> None:
    late = asleep.with_options(time="00:00:01")(300)

    def killed() -> None:
        os.kill(os.getpid(), 9)

    with pytest.raises(TaskFailed, match="Exit Code"):
        task(killed)().result(30)
    daemons.until(lambda: late.done(), seconds=90, why="a job beyond its limit goes on")
    with pytest.raises(JobTimeLimit):
        late.result(0)
    assert issubclass(JobOutOfMemory, slurm.JobFailed)


def test_every_task_of_a_job_runs_and_gives_a_result(local: Cluster) -> None:
    job = rank_of()
    assert job.result(60) == (0, 3)
    assert job.rank_results() == [(0, 3), (1, 3), (2, 3)]


def test_a_requeued_workflow_finds_what_it_had_done(local: Cluster, daemons: Daemons, tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = pipeline(4, str(log))
    daemons.until(lambda: log.exists() and log.read_text() == "xxxx" and job.is_running(), seconds=60, why="the workflow's array did not run")
    daemons.ok("scontrol", "requeue", job.id)
    daemons.until_state(job.id, "PENDING")
    daemons.ok("scontrol", "update", f"JobId={job.id}", "StartTime=now")  # Slurm lets a requeued job rest for two minutes
    assert job.result(120) == (12, job.id)
    assert log.read_text() == "xxxx"


def test_who_waits_does_not_notice_that_the_controller_was_restarted(local: Cluster, daemons: Daemons) -> None:
    job = asleep(4)
    daemons.until(job.is_running, why="the job does not run")
    job.add_done_callback(lambda _: None)
    daemons.kill("slurmctld")
    daemons.up()
    assert job.result(60) == 4
    assert add(1).result(30) == 2


def test_a_forked_process_waits_by_itself(local: Cluster, tmp_path: Path) -> None:
    slow = asleep(1)
    slow.add_done_callback(lambda _: None)
    child = os.fork()
    if child == 0:
        os._exit(0 if slow.result(30) == 1 and add(1).result(30) == 2 else 1)
    assert (slow.result(30), add(2).result(30)) == (1, 3)
    assert os.waitpid(child, 0)[1] == 0


def test_futures_and_await(local: Cluster) -> None:
    async def both() -> list[int]:
        return [*await asyncio.gather(_of(add(1)), _of(add(2)))]

    assert asyncio.run(both()) == [2, 3]
    with Executor(local) as executor:
        assert [future.result(60) for future in [executor.submit(pow, 2, power) for power in (3, 4)]] == [8, 16]
        assert list(executor.map(pow, [2, 3], [2, 2], timeout=60)) == [4, 9]


async def _of(job: slurm.Job[int]) -> int:
    return await job


@pytest.mark.alone
def test_an_empty_task_is_back_before_one_notices(local: Cluster) -> None:
    def timed() -> float:
        began = time.monotonic()
        empty().result(30)
        return time.monotonic() - began

    timed()
    assert statistics.median(timed() for _ in range(5)) < QUICK * _slowness()


def _slowness() -> float:
    """How much slower than by itself this machine is just now: other tests may run beside this one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _train_model(dataset: str = "", **config: Any) -> dict[str, Any]:
    return {"model": dataset or str(config)}


def test_every_sample_of_the_concept_page_runs_as_it_stands(daemons: Daemons, tmp_path: Path) -> None:
    samples = BLOCK.findall((HERE / "sdk_samples.md").read_text(encoding="utf-8"))
    assert len(samples) == 9
    made: list[Cluster] = []

    def on_this_machine(backend_type: str = "local", hostname: str = "", **options: Any) -> Cluster:
        made.append(Cluster("local", job_base_dir=tmp_path, **options))
        return made[-1]

    names: dict[str, Any] = {
        "task": task, "workflow": workflow, "Cluster": on_this_machine, "os": os, "train_model": task(_train_model, mem="100M"),
        "model_config": {"lr": 0.1}, "metrics": ["loss"],
        "preprocess": task(lambda data: data, mem="100M"), "evaluate": task(lambda metrics: metrics, mem="100M"), "data": [1, 2]}
    with Cluster(job_base_dir=tmp_path, mem="100M"):
        for sample in samples:
            if "train_model.after" in sample:
                names["train_model"] = task(lambda config: {"model": config}, mem="100M")
            exec(compile(sample, "sample", "exec"), names)
        assert names["job3"].result(60) == {"model": "imagenet"}
        assert names["eval_job"].result(60) == ["loss"]
        assert names["array_job"].results(60) == [{"chunk": number, "processed": True} for number in range(10)]
        assert names["process_data"]("in.csv").result(60) == {"result": "processed"}
        assert names["distributed_train"].with_options(mem="1G")({}).result(60) == {"model": "trained"}
    assert names["job"].result(60) == {"accuracy": 0.95}
    assert names["job"].sbatch_options["partition"] == "gpu"
    assert [cluster.defaults().get("partition") for cluster in made] == ["gpu", None]


def test_the_seeds_script_runs_by_hand(daemons: Daemons) -> None:
    daemons.script("training.py", "from slurm import task\n@task(time='00:10:00')\ndef train(lr):\n    return {'accuracy': 0.95, 'lr': lr}\n")
    daemons.script("job.sh", "#!/bin/bash\n#SBATCH --time=00:10:00\n#SBATCH --mem=4G\n#SBATCH --partition=gpu\n#SBATCH --output=slurm-%j.out\n\n"
                   "python -m slurm.runner \\\n    --task train \\\n    --args '{\"lr\": 0.001}'\n")
    python = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{daemons.environment['PATH']}"}
    job, status = daemons.finish("job.sh", env=python)
    assert (status, daemons.output(f"slurm-{job}.out")) == (0, '{"accuracy": 0.95, "lr": 0.001}\n')


def test_a_cluster_is_started_when_there_is_none(fresh: Callable[..., Daemons]) -> None:
    machine = fresh()
    script = machine.script("first.py", "from slurm import Cluster, task\n@task\ndef hello(): return 'hello'\n"
                            f"with Cluster(job_base_dir={str(machine.work)!r}):\n    print(hello().result(60))\n")
    done = machine.run(sys.executable, script, timeout=120)
    assert (done.status, done.out) == (0, "hello\n")
    assert re.fullmatch(r"slurm: there was no cluster here\. Cluster \w+ is up after .*: 1 node .*\. It stays up; `slurm down` stops it\n", done.err)
    assert "slurmctld" in machine.ok("slurm", "status")
