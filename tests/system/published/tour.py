"""Written as the published SDK's users write: calls, chains, arrays, options, failures, and questions about the cluster."""

import io
import time
from pathlib import Path

from slurm import Cluster, DownloadError, JobContext
from slurm.array_job import ArrayJob
from slurm.decorators import task
from slurm.job import Job
from slurm.task import SlurmTask


@task(time="00:05:00", mem="100M", packaging="none")
def add(left: int, right: int = 1) -> int:
    """Add two numbers."""
    print("adding", left, right)
    return left + right


@task(name="Place.it", time="00:05:00", memory="100M", cpus_per_task=2, packaging="none")
def place(job: JobContext) -> tuple[bool, int | None, int, str]:
    return job.job_id is not None, job.rank, len(job.hostnames), job.torch_distributed_env(master_port=4321)["MASTER_PORT"]


@task(time="00:05:00", mem="100M", packaging="none")
def fail(text: str) -> None:
    raise ValueError(text)


@task(time="00:05:00", mem="100M", packaging="none")
def asleep(seconds: float) -> None:
    time.sleep(seconds)


@task(time="00:05:00", mem="100M", packaging="none")
def keep(text: str) -> str:
    Path(f"{text}.txt").write_text(text)
    return str(Path.cwd())


def until(what) -> bool:
    for _ in range(100):
        if what():
            return True
        time.sleep(0.1)
    return False


def calls(cluster: Cluster) -> None:
    job = add(1, right=2)
    print(type(job) is Job, job.wait(poll_interval=0.2), job.is_completed(), job.is_successful(), job.is_running(), job.get_result())
    status = job.get_status()
    print(status["JobState"], status["ExitCode"], status["JobName"], status["Partition"], status["TimeLimit"])
    print(Path(job.target_job_dir).parent.name, Path(job.result_path).name == f"slurm_job_{job.pre_submission_id}_result.pkl")
    print("adding 1 2" in job.get_stdout(), job.stdout_path.endswith(f"slurm_{job.pre_submission_id}.out"))
    print(job.get_script().startswith("#!/bin/bash\n#SBATCH --"), "\n#SBATCH --job-name=add\n" in job.get_script())
    print(add.unwrapped(5), add.__name__, add.__doc__, repr(add), str(add), isinstance(add, SlurmTask))
    again = cluster.get_job(job.id)
    print(again.id == job.id, again.get_result(), again.pre_submission_id == job.pre_submission_id)
    text = io.StringIO()
    job.tail(follow=False, lines=500, output=text)
    print("adding 1 2" in text.getvalue())
    shot = job.snapshot()
    print(shot.job_id == job.id, shot.state, shot.exit_code, shot.is_terminal, shot.is_successful, "adding" in shot.stdout_tail)


def chains(cluster: Cluster) -> None:
    first = add(1)
    first.wait(poll_interval=0.2)
    second = add.after(first)(first, right=10)
    print(second.sbatch_options["dependency"].startswith(f"afterok:{first.id}"))
    third = cluster.submit(add, after=[first], mem="120M", time="00:02:00")(100)
    renamed = add.with_options(job_name="renamed", cpus_per_task=2)(7)
    for job in (second, third, renamed):
        job.wait(poll_interval=0.2)
    print(second.get_result(), third.get_result(), renamed.get_result(), Path(renamed.target_job_dir).parent.name)
    print(third.sbatch_options["mem"], third.get_status()["TimeLimit"], renamed.get_status()["NumCPUs"])
    where = place()
    where.wait(poll_interval=0.2)
    print(where.get_result(), Path(where.target_job_dir).parent.name)


def arrays() -> None:
    array = add.map([1, (2, 3), {"left": 5, "right": 6}], max_concurrent=2)
    print(isinstance(array, ArrayJob), len(array), [job.id.rpartition("_")[2] for job in array], array.max_concurrent)
    for job in array:
        job.wait(poll_interval=0.2)
    print(array.wait(), array.get_results(), array[1].get_result(), array._array_job_id.endswith("_[0-2%2]"))
    print(array.array_dir == Path(array[0].target_job_dir), array.get_results_dir().name)
    last = add(array[2])
    last.wait(poll_interval=0.2)
    print(last.get_result(), len(add.map([])))


def failures() -> None:
    bad = fail("no luck")
    print(bad.wait(poll_interval=0.2), bad.get_status()["JobState"])
    try:
        bad.get_result()
    except DownloadError as error:
        wanted = (f"Job {bad.id} did not succeed.", "State: FAILED", "Exit Code: 1:0", bad.target_job_dir, "ValueError: no luck")
        print([text in str(error) for text in wanted])
    long = asleep(600)
    print(until(long.is_running))
    try:
        long.get_result(timeout=0.1)
    except DownloadError as error:
        print("did not reach a terminal state within timeout" in str(error))
    print(long.cancel(), until(long.is_completed), long.get_status()["JobState"], long.is_successful())


def files() -> None:
    jobs = [keep("alone"), *keep.map(["first", "second"])]
    for job in jobs:
        job.wait(poll_interval=0.2)
    print([Path(job.get_result()).samefile(job.target_job_dir) for job in jobs])
    print([Path(job.target_job_dir, f"{text}.txt").read_text() for job, text in zip(jobs, ("alone", "first", "second"), strict=True)])


def outside() -> None:
    for call in (lambda: add(1), lambda: add.map([1])):
        try:
            call()
        except RuntimeError as error:
            print("must be called within a Cluster context" in str(error))
    for wrong in (lambda: add.after(3), lambda: SlurmTask(3)):
        try:
            wrong()
        except TypeError as error:
            print(type(error).__name__, ".after() expects Job or ArrayJob arguments" in str(error))


def questions(cluster: Cluster) -> None:
    job = asleep(600)
    print(until(job.is_running))
    row = next(row for row in cluster.get_queue() if row["JOBID"] == job.id)
    print(sorted(row), row["NAME"], row["STATE"], row["TIME_LIMIT"], row["PARTITION"], row["NODES"], row["REASON"])
    print([one.id for one in cluster.get_jobs()] == [job.id])
    print(cluster.get_cluster_info()["partitions"][0]["PARTITION"], sorted(cluster.get_cluster_info()["partitions"][0]))
    told = cluster.diagnose()
    print(sorted(told), told["backend_type"], told["connectivity"]["success"], told["queue_summary"], told["slurm_commands"], told["errors"])
    job.cancel()


if __name__ == "__main__":
    cluster = Cluster(backend_type="local", job_base_dir="jobs", default_partition="debug")
    outside()
    with cluster:
        calls(cluster)
        chains(cluster)
        arrays()
        failures()
        files()
        questions(cluster)
