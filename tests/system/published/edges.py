"""Written as the published SDK's users write: what lies at the edges of calls, folders and failures."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from slurm import Cluster, DownloadError
from slurm.api import BackendBase, LocalBackend, create_backend
from slurm.decorators import task, workflow
from slurm.errors import BackendError
from slurm.workflow import WorkflowContext

log = logging.getLogger("edges")


@task(time="00:05:00", mem="100M", packaging="none")
def count(number: int) -> int:
    log.info("counted to %d", number)
    return number


@task(time="00:05:00", mem="100M", packaging="none")
def beside() -> str:
    return subprocess.run([sys.executable, "-c", "import beside; print(beside.WORD)"], capture_output=True, text=True).stdout.strip()


@task(time="00:05:00", mem="100M", packaging="none")
def fail() -> None:
    raise ValueError("no luck")


@workflow(time="00:10:00", mem="100M")
def failing(ctx: WorkflowContext) -> None:
    job = fail()
    job.wait(poll_interval=0.2)
    job.get_result()


@workflow(time="00:10:00", mem="100M")
def listed(ctx: WorkflowContext) -> bool:
    job = count(1)
    job.wait(poll_interval=0.2)
    return [str(run) for run in ctx.get_task_output_dir("count").iterdir()] == [str(job.target_job_dir)]


def failed(job) -> list[bool]:
    try:
        job.get_result()
    except DownloadError as error:
        return [text in str(error) for text in (f"Job {job.id} did not succeed", "State: FAILED", "no luck")]
    return []


def main() -> None:
    cluster = Cluster(backend_type="local", job_base_dir="jobs")
    base = Path("jobs").resolve()
    print(isinstance(cluster.backend, BackendBase), isinstance(cluster.backend, LocalBackend), cluster.backend.job_base_dir == str(base))
    theirs = Cluster.from_backend(create_backend("local", job_base_dir="theirs"))
    other = Path("theirs").resolve()
    with cluster:
        jobs = [beside(), failing(), listed()]
        jobs += [cluster.submit(task_func=count)(2), theirs.submit(count)(3)]
        array = count.map([4, 5], max_concurrent=0)
    for job in [*jobs, *array]:
        job.wait(poll_interval=0.2)
    print([Path(job.target_job_dir).parents[1] == folder for job, folder in zip(jobs[3:], (base, other), strict=True)])
    print([job.get_result() for job in (jobs[0], *jobs[2:])], array.get_results(), failed(jobs[1]))
    print("INFO:edges:counted to 2" in jobs[3].get_stderr())
    try:
        print(cluster.get_job("99999999").get_status())
    except BackendError:
        print("unknown")


if __name__ == "__main__":
    if "PYTHONPATH" not in os.environ or "lib" not in os.environ["PYTHONPATH"].split(":"):
        Path("lib").mkdir(exist_ok=True)
        Path("lib/beside.py").write_text("WORD = 'beside'\n")
        path = ":".join(filter(None, ("lib", os.environ.get("PYTHONPATH"))))
        sys.exit(subprocess.run([sys.executable, __file__], env={**os.environ, "PYTHONPATH": path}).returncode)
    main()
