"""Tasks on the inline backend: everything between a call and its result but the cluster."""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slurm import (
    ArrayJob,
    BackendError,
    Cluster,
    DependencyFailed,
    DownloadError,
    Executor,
    InvalidOption,
    Job,
    JobContext,
    NoCluster,
    RemoteTraceback,
    ResultUnwritten,
    SubmissionError,
    TaskFailed,
    WorkflowContext,
    as_completed,
    task,
    workflow,
)


@dataclass
class Sizes:
    """What a task may get and give."""

    small: int
    large: Any = None


class Odd(Exception):
    """Cannot be made from its arguments again."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} and {right}")


@task(time="00:10:00", mem="4G", cpus_per_task=2)
def add(left: int, right: int = 1) -> int:
    """Adds."""
    return left + right


@task
def fail(text: str) -> None:
    raise KeyError(text)


@task
def total(values: list[int], more: dict[str, Any] | None = None) -> int:
    return sum(values) + sum((more or {}).get("deep", [0]))


@task
def context_of(job: JobContext, text: str = "") -> tuple[str | None, str, str]:
    return job.job_id, str(job.output_dir), text


@task
def named_context(context: str) -> str:
    return context.upper()


@workflow
def summed(ctx: WorkflowContext, count: int) -> tuple[int, bool]:
    parts = add.map([{"left": number} for number in range(count)])
    return total(parts).result(), ctx.shared_dir.is_dir()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster("inline", job_base_dir=tmp_path) as found:
        yield found


def test_a_call_gives_a_job_and_the_job_its_result(cluster: Cluster) -> None:
    job = add(1, right=2)
    assert isinstance(job, Job)
    assert (job.result(), job.status(), job.done(), job.is_successful(), job.wait()) == (3, "COMPLETED", True, True, True)
    script = job.script()
    assert script.startswith("#!/bin/bash\n#SBATCH --time=00:10:00\n#SBATCH --mem=4G\n#SBATCH --cpus-per-task=2\n#SBATCH --job-name=add\n")
    assert "-P -m slurm.runner --task add" in script


def test_outside_a_cluster_a_call_says_what_to_do() -> None:
    with pytest.raises(NoCluster, match=r"must be called within a Cluster context or @workflow[\s\S]*add.unwrapped"):
        add(1)
    assert add.unwrapped(1) == 2


def test_threads_have_the_only_active_cluster_and_choose_among_several(cluster: Cluster, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert [job.result() for job in threads.map(add, [1, 2])] == [1 + add.unwrapped(0), 2 + add.unwrapped(0)]
        with cluster:
            assert threads.submit(add, 1).result().cluster is cluster
        with Cluster("inline", job_base_dir=tmp_path / "other") as other:
            with pytest.raises(NoCluster, match=r"2 are active in other threads; to choose: Cluster.submit\(add\)"):
                threads.submit(add, 1).result()
            assert threads.submit(other.submit(add), 1).result().cluster is other
        assert threads.submit(add, 1).result().cluster is cluster


def test_a_wrong_call_is_refused_before_anything_is_submitted(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^add\(\): got an unexpected keyword argument 'lft'"):
        add(lft=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"item 1 of add.map\(\)"):
        add.map([1, (1, 2, 3)])
    with pytest.raises(TypeError, match=r"^argument left of add \(a _thread.lock\) cannot be sent to a job: TypeError: cannot pickle"):
        add(threading.Lock())  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_jobs_in_arguments_become_results_at_any_depth(cluster: Cluster) -> None:
    array = add.map([1, (2, 3), {"left": 4}])
    single = add(10)
    assert isinstance(array, ArrayJob)
    assert array.results() == [2, 5, 5]
    job = total(array, more={"deep": [single, array[-1]]})
    assert job.result() == 12 + 11 + 5
    assert job.sbatch_options["dependency"] == f"afterok:{array.id}:{single.id}"
    assert total([job, single]).result() == 39


def test_an_array_is_a_sequence_of_jobs(cluster: Cluster) -> None:
    array = add.map(range(5))
    assert (len(array), [job.result() for job in array[1:3]], array[-1].result()) == (5, [2, 3], 5)
    assert array.status() == {"COMPLETED": 5}
    assert sorted(job.result() for job in array.as_completed(5)) == [1, 2, 3, 4, 5]
    assert array.wait(5)
    empty = add.map([])
    assert (len(empty), empty.results(), empty.id) == (0, [], "")


def test_closures_and_lambdas_travel(cluster: Cluster) -> None:
    factor = 7
    assert task(lambda number: number * factor)(6).result() == 42


def test_what_a_task_raises_is_raised_here_with_its_type_and_its_traceback(cluster: Cluster) -> None:
    job = fail("no such key")
    with pytest.raises(KeyError, match="no such key") as caught:
        job.result()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "raise KeyError(text)" in caught.value.__cause__.text
    assert "slurm/sdk/inside/runner.py" not in caught.value.__cause__.text
    assert isinstance(job.exception(), KeyError)
    with pytest.raises(DownloadError, match=r"Job \d+ did not succeed[\s\S]*State: FAILED[\s\S]*KeyError"):
        job.get_result()
    assert "KeyError" in job.stderr()


def test_a_workflow_whose_child_failed_and_a_result_that_cannot_travel_have_not_succeeded_themselves(cluster: Cluster) -> None:
    def child_fails(way: str) -> object:
        return getattr(fail("no such key"), way)()

    for way, cause in (("get_result", TaskFailed), ("result", KeyError)):
        whole = workflow(child_fails)(way)
        with pytest.raises(TaskFailed, match=rf"^Job {whole.id} did not succeed[\s\S]*no such key") as caught:
            whole.get_result()
        assert caught.value.job_id == whole.id and isinstance(caught.value.__cause__, cause)
    nothing = task(lambda: (number for number in ()))()
    with pytest.raises(TaskFailed, match=rf"^Job {nothing.id} did not succeed[\s\S]*ResultUnwritten"):
        nothing.get_result()
    with pytest.raises(ResultUnwritten):
        nothing.result()


def test_the_traceback_of_code_that_travels_names_the_line_in_the_program_it_came_from(cluster: Cluster) -> None:
    def divided(left: int) -> float:
        return left / zero

    zero = 0
    raised = task(divided)(1).exception()
    assert isinstance(raised, ZeroDivisionError)
    assert isinstance(raised.__cause__, RemoteTraceback)
    assert f'File "{__file__}", line {divided.__code__.co_firstlineno + 1}, in divided\n    return left / zero\n' in raised.__cause__.text


def test_an_exception_that_its_arguments_do_not_make_again_keeps_its_type(cluster: Cluster) -> None:
    def raising() -> None:
        raise Odd(1, 2)

    with pytest.raises(Odd, match="^1 and 2$"):
        task(raising)().result()


def test_a_result_that_cannot_be_pickled_fails_the_task(cluster: Cluster) -> None:
    def locked() -> Any:
        return threading.Lock()

    with pytest.raises(ResultUnwritten, match="what the task returned cannot be pickled"):
        task(locked)().result()


def test_sys_exit_with_zero_is_a_result_of_none_and_any_other_a_failure(cluster: Cluster) -> None:
    def leaving(code: int) -> None:
        raise SystemExit(code)

    leave = task(leaving)
    assert leave(0).result() is None
    with pytest.raises(TaskFailed, match=r"Exit Code: 3:0[\s\S]*the task raised SystemExit: 3"):
        leave(3).result()


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Cluster("inline", job_base_dir=tmp_path / "file") as cluster, pytest.raises(SubmissionError, match=r"cannot be written: .*/file.*job_base_dir=…"):
        cluster.submit(add)(1)


def test_a_task_after_one_that_failed_never_runs(cluster: Cluster) -> None:
    with pytest.raises(DependencyFailed):
        add.after(fail("x"))(1).result()
    with pytest.raises(DependencyFailed, match=r"it waited for job \d+ \(fail\), which failed: ") as caught:
        add(1, add.map([(1, add(1, fail("deep")))])[0]).result()
    assert str(caught.value.__cause__) in str(caught.value)
    with pytest.raises(TypeError, match=r"\.after\(\) expects Job or ArrayJob arguments"):
        add.after(3)  # type: ignore[arg-type]


def test_a_dependency_of_ones_own_is_joined_with_those_on_jobs(cluster: Cluster) -> None:
    first = add(1)
    job = add.with_options(dependency="singleton").after(first)(first)
    assert job.sbatch_options["dependency"] == f"singleton,afterok:{first.id}"
    assert job.sbatch_options["kill_on_invalid_dep"] == "yes"


def test_options_may_be_changed_without_touching_the_task(cluster: Cluster) -> None:
    big = add.with_options(memory="64G", time=None, partition="gpu")
    assert big.sbatch_options == {"mem": "64G", "cpus_per_task": "2", "job_name": "add", "partition": "gpu"}
    assert add.sbatch_options["mem"] == "4G"
    with pytest.raises(InvalidOption, match="did you mean partition"):
        add.with_options(partitoin="gpu")


def test_what_the_cluster_says_holds_for_every_job_that_says_nothing_else(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path, partition="gpu", time=5):
        assert add(1).sbatch_options["partition"] == "gpu"
        assert add(1).sbatch_options["time"] == "00:10:00"


def test_a_context_is_supplied_where_it_is_asked_for(cluster: Cluster) -> None:
    job = context_of(text="hello")
    assert job.result() == (job.id, job.target_job_dir, "hello")
    assert context_of("positional").result()[2] == "positional"
    assert named_context("kept").result() == "KEPT"


def test_a_workflow_submits_from_within_its_job(cluster: Cluster) -> None:
    assert summed(4).result() == (10, True)


def test_values_of_classes_defined_on_the_way_come_back_as_that_class(cluster: Cluster) -> None:
    @dataclass
    class Local:
        number: int

    def doubled(value: Local) -> Local:
        return Local(value.number * 2)

    found = task(doubled)(Local(4)).result()
    assert isinstance(found, Local)
    assert found.number == 8
    assert task(lambda sizes: Sizes(sizes.small + 1))(Sizes(1)).result() == Sizes(2)


def test_the_executor_speaks_concurrent_futures(tmp_path: Path) -> None:
    with Executor(Cluster("inline", job_base_dir=tmp_path), time=5) as executor:
        future = executor.submit(pow, 2, 5)
        assert future.result(5) == 32
        assert list(executor.map(lambda left, right: left - right, [5, 6], [1, 2])) == [4, 4]
        assert isinstance(executor.submit(fail.unwrapped, "x").exception(5), KeyError)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 1, 1)


async def _awaited() -> list[int]:
    return [await add(1), *await add.map([5, 6])]


def test_jobs_can_be_awaited(cluster: Cluster) -> None:
    import asyncio

    assert asyncio.run(_awaited()) == [2, 6, 7]


def test_as_completed_gives_each_job_once(cluster: Cluster) -> None:
    assert sorted(job.result() for job in as_completed([add(1), add(2)], 30)) == [2, 3]


def test_what_is_not_carried_out_is_refused_with_that_sentence() -> None:
    with pytest.raises(InvalidOption, match="valid: auto, none, inherit, wheel, container"):
        task(packaging="zip")(len)
    with pytest.raises(ValueError, match="Must be one of: local"):
        Cluster("cloud")
    with pytest.raises(BackendError, match="not supported by slurm-py yet: it needs slurmrestd"):
        Cluster("rest", hostname="login")
    with pytest.raises(InvalidOption, match='hostname only means something with backend_type="ssh"'):
        Cluster("inline", hostname="login")


def test_a_module_that_submits_while_a_job_imports_it_is_stopped(cluster: Cluster) -> None:
    from slurm.sdk.inside import loading

    with loading.imports(), pytest.raises(SubmissionError, match=r'under `if __name__ == "__main__":`'):
        add(1)


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class Doubling:
    """A callable that is awaited."""

    async def __call__(self, number: int) -> int:
        return await doubled(number)


@pytest.mark.parametrize("function", [doubled, functools.partial(doubled), Doubling(), Doubling().__call__])
def test_an_async_function_is_run_to_its_end(cluster: Cluster, function: Any) -> None:
    assert task(function)(21).result() == 42
    assert task(function).map([1, 2]).results() == [2, 4]


def test_an_async_task_runs_inline_within_a_loop_too(cluster: Cluster) -> None:
    @workflow
    async def both(ctx: WorkflowContext, number: int) -> int:
        return await task(doubled)(number) + 1

    async def main() -> int:
        return await both(4)

    assert asyncio.run(main()) == 9


def test_a_task_that_yields_is_refused_where_it_is_written() -> None:
    async def ticks() -> Any:
        yield 1

    with pytest.raises(TypeError, match=r"@task of numbers: it yields, .* return a list"):
        @task
        def numbers() -> Any:
            yield 1
    with pytest.raises(TypeError, match="@task of ticks: it yields"):
        task(ticks)


def test_a_cluster_takes_the_variables_and_the_patience_of_the_published_sdk() -> None:
    cluster = Cluster("commands", env={"PROJECT": "moon"}, timeout=30)
    backend: Any = cluster.backend
    assert backend.environ["PROJECT"] == "moon" and backend.environ["PATH"] == os.environ["PATH"]
    assert cluster.patience == 30 and cluster.defaults() == {}
    assert Cluster("commands", timeout="00:30:00").defaults() == {"time": "00:30:00"}
    with pytest.raises(InvalidOption, match="env only means something"):
        Cluster("inline", env={"PROJECT": "moon"})


def test_a_job_that_is_pickled_leaves_behind_what_was_called_with_what(tmp_path: Path) -> None:
    local = task(lambda number: number)
    with Cluster("inline", job_base_dir=tmp_path):
        job, array = local(3), local.map([1, 2])
        assert job.args == (3,) and array.items == [1, 2]
        again, both = pickle.loads(pickle.dumps((job, array)))
    assert again.id == job.id and again.result_path == job.result_path and (again.task_func, again.args) == (None, ())
    assert [one.id for one in both] == [one.id for one in array] and both.task is None


def test_scripts_have_the_mode_that_the_cluster_names(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path, script_permissions=0o500) as cluster:
        job = task(len)("abc")
    assert Path(job.files.script).stat().st_mode & 0o777 == 0o500
    assert cluster.spec()["script_permissions"] == 0o500


@pytest.mark.parametrize("items", [[1, {"number": 2, "job": None}], [(1, None), 2]])
def test_a_context_is_given_in_all_items_of_a_map_or_in_none(tmp_path: Path, items: list[Any]) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        with pytest.raises(TypeError, match=r"item 1 of placed.map\(\): job is given by some items and has to come from the job for others"):
            placed.map(items)
        assert placed.map([(1, None), {"number": 2, "job": None}]).results() == [(1, True), (2, True)]
        assert placed.map([1, {"number": 2}]).results() == [(1, False), (2, False)]


@task
def placed(number: int, job: JobContext) -> tuple[int, bool]:
    return number, job is None
