"""Written as the published SDK's users write: a workflow of tasks and an array, its cluster from the Slurmfile that $SLURMFILE names."""

from pathlib import Path

from slurm import Cluster, JobContext, WorkflowContext
from slurm.decorators import task, workflow


@task(time="00:05:00", mem="100M", packaging="none")
def square(number: int) -> int:
    return number * number


@task(time="00:05:00", mem="100M", packaging="none")
def total(numbers: list[int], shared: str, job: JobContext) -> int:
    with open(f"{shared}/total.txt", "w") as file:
        file.write(str(sum(numbers)))
    return sum(numbers) if job.job_id else -1


@workflow(time="00:10:00", mem="100M")
def pipeline(count: int, ctx: WorkflowContext) -> dict[str, object]:
    first = square(count)
    first.wait(poll_interval=0.2)
    array = square.map(list(range(count)))
    for job in array:
        job.wait(poll_interval=0.2)
    last = total.after(array)(array.get_results(), str(ctx.shared_dir))
    last.wait(poll_interval=0.2)
    return {"first": first.get_result(), "total": last.get_result(), "file": (ctx.shared_dir / "total.txt").read_text(),
            "runs": len(ctx.list_task_runs("square")) > 0, "tasks": ctx.tasks_dir == ctx.workflow_job_dir / "tasks",
            "id": bool(ctx.workflow_job_id), "nested": Path(first.target_job_dir).parent.parent == ctx.tasks_dir}


if __name__ == "__main__":
    with Cluster.from_env():
        job = pipeline(4)
        print(job.wait(poll_interval=0.2, timeout=60))
        print(job.get_result())
