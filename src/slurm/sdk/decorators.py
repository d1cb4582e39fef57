"""@task and @workflow. Their types stand in decorators.pyi: what those need would cost every job that imports a task's module 30 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slurm.sdk.tasks import SlurmTask, WorkflowTask


def task(func: Any = None, **options: Any) -> Any:
    """Make a function a task: called on a cluster it becomes a job. Options are those of sbatch, with underscores.

    As `@task`, `@task(time="00:10:00", mem="4G", gpus=1)` or `task(function, …)`. `time` is text as in Slurm, minutes, or a timedelta;
    `mem` text or MB. Beside them: how the code travels (`packaging=`), when the task is tried again (`retries=`), whether a call that was
    made before is made again (`cache=`).

    InvalidOption at once, when the decorator runs, for a name that sbatch has not or a value that it cannot take.
    """
    packaging = options.pop("packaging", None)

    def made(function: Callable[..., Any]) -> SlurmTask[..., Any]:
        return SlurmTask(function, options, packaging)

    return made if func is None else made(func)


def workflow(func: Any = None, **options: Any) -> Any:
    """Make a function a workflow: a job that submits other tasks and combines their results. Its time limit is an hour unless given.

    When the job is requeued it runs again from its first line, but tasks that it has submitted before are not: they are found again.
    """
    packaging = options.pop("packaging", None)
    options.setdefault("time", "01:00:00")

    def made(function: Callable[..., Any]) -> WorkflowTask[..., Any]:
        return WorkflowTask(function, options, packaging)

    return made if func is None else made(func)
