"""What is tried again, cached and cleaned up, on an embedded cluster that takes nodes away, ends jobs over their memory, and is killed meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm import Cluster, DependencyFailed, JobContext, JobNodeFailed, WorkflowContext, task, workflow
from tests.system.harness import Cluster as Daemons

SECONDS = 120.0


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Three emulated nodes."""
    found = Daemons(tmp_path_factory.mktemp("again") / "c", "--nodes", "3", "--cpus", "8", "--memory", "8G")
    found.up()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("SLURM", "SBATCH"))]:
            patch.delenv(name)
        for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH", "PYTHONPATH"):
            patch.setenv(name, found.environment[name])
        yield found
    found.close()


@pytest.fixture
def cluster(daemons: Daemons, tmp_path: Path) -> Iterator[Cluster]:
    """The active cluster of a test."""
    with Cluster(job_base_dir=tmp_path / "jobs", mem="50M", time="5") as found:
        yield found
    found.close()


@task(requeue=False)
def linger(gate: str, number: int = 0) -> int:
    """Ends when the gate is opened."""
    Path(gate + f".{number}.{os.environ['SLURMD_NODENAME']}").touch()
    deadline = time.monotonic() + SECONDS
    while not os.path.exists(gate) and time.monotonic() < deadline:
        time.sleep(0.05)
    return number


@task
def total(values: list[int]) -> int:
    return sum(values)


@task(mem="60M", retries=2, retry_memory=4)
def hoard() -> int:
    """Needs about 150 MB for a while."""
    held = bytearray(130 << 20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(6)
    return len(held) >> 20


def _lose(daemons: Daemons, gate: str, number: int) -> str:
    """Take the node away on which that element runs; its name."""
    found: list[str] = []

    def runs() -> bool:
        found[:] = [path.name.rpartition(".")[2] for path in Path(gate).parent.glob(f"{Path(gate).name}.{number}.*")]
        return bool(found)

    daemons.until(runs, why="the job to start")
    daemons.ok("scontrol", "update", f"NodeName={found[0]}", "State=DOWN", "Reason=test")
    return found[0]


def test_a_job_whose_node_is_lost_runs_elsewhere_and_its_dependents_wait_for_that(daemons: Daemons, cluster: Cluster, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    memory = hoard()
    array = linger.with_options(retries=1, retry_on="NODE_FAIL", exclusive=True).map([(gate, 1), (gate, 2)])
    dependent = total(array)  # type: ignore[arg-type]
    lost = _lose(daemons, gate, 2)
    try:
        daemons.until(lambda: len(array[1].attempts) == 2 or array[1].done(), why="a second attempt")
        Path(gate).touch()
        assert dependent.result(SECONDS) == 3 and array.results(SECONDS) == [1, 2]
        assert [len(job.attempts) for job in array] == [1, 2] and len(dependent.attempts) == 2
        assert memory.result(SECONDS) == 130 and len(memory.attempts) == 2
        assert daemons.field(memory.id, "MinMemoryNode") == "240M"
    finally:
        daemons.ok("scontrol", "update", f"NodeName={lost}", "State=RESUME")


def test_without_a_wish_a_lost_node_is_an_error_and_its_dependents_say_why(daemons: Daemons, cluster: Cluster, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    job = linger(gate)
    dependent = total([job])  # type: ignore[list-item]
    lost = _lose(daemons, gate, 0)
    try:
        with pytest.raises(JobNodeFailed):
            job.result(SECONDS)
        with pytest.raises(DependencyFailed):
            dependent.result(SECONDS)
    finally:
        daemons.ok("scontrol", "update", f"NodeName={lost}", "State=RESUME")


@task(cache=True, cache_ignore="log")
def measure(number: int, log: str) -> int:
    with open(log, "a") as file:
        file.write("x")
    return number * number


@workflow
def study(ctx: WorkflowContext, log: str) -> list[int]:
    return measure.map([(number, log) for number in range(4)]).results()


def test_what_a_workflow_computed_is_found_by_the_next_program(cluster: Cluster, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    assert study(log).result(SECONDS) == [0, 1, 4, 9]
    array = measure.map([(number, log) for number in range(5)])
    assert [job.cached for job in array] == [True, True, True, True, False]
    assert array.results(SECONDS) == [0, 1, 4, 9, 16] and os.path.getsize(log) == 5


@task(cache=True, ntasks=2)
def ranked(gate: str, job: JobContext) -> int | None:
    """Rank 1 fails as long as the gate is closed, after rank 0 has ended well."""
    if job.rank == 1 and not os.path.exists(gate):
        while not list(Path(str(job.output_dir)).glob("*_result.pkl")):
            time.sleep(0.05)
        raise OSError("the gate is closed")
    return job.rank


def test_the_ranks_of_a_job_are_cached_together_and_not_when_one_failed(cluster: Cluster, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    assert isinstance(ranked(gate).exception(SECONDS), OSError)
    Path(gate).touch()
    again = ranked(gate)
    assert (again.rank_results(SECONDS), again.cached) == ([0, 1], False)
    cached = ranked(gate)
    assert (cached.rank_results(SECONDS), cached.cached) == ([0, 1], True)


def test_cleanup_leaves_what_runs_and_what_it_needs(cluster: Cluster, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    over, needed = measure(7, str(tmp_path / "log")), total([1, 2])
    assert over.wait(SECONDS) and needed.wait(SECONDS)
    running = linger.with_options(cpus_per_task=1)(gate, needed)  # type: ignore[arg-type]
    pending = total.with_options(begin="now+3600")([needed])  # type: ignore[list-item]
    done = cluster.cleanup(older_than=0, cache=True)
    assert sorted(one.kind for one in done.removed) == ["cache", "job"] and done.kept == 3
    assert not os.path.exists(over.target_job_dir)
    Path(gate).touch()
    assert running.result(SECONDS) == 3
    pending.cancel()


def test_lines_of_a_running_job_come_while_it_runs_and_end_with_it(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def speak(gate: str) -> None:
        print("one", flush=True)
        deadline = time.monotonic() + SECONDS
        while not os.path.exists(gate) and time.monotonic() < deadline:
            time.sleep(0.05)
        print("two", flush=True)

    lines = task(speak)(str(gate)).logs()
    assert next(lines) == "one"
    gate.touch()
    assert list(lines) == ["two"]
