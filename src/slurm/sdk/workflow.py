"""WorkflowContext: the active context inside a workflow's job. Remembers what it submitted, so that a requeued workflow finds it again."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

from slurm.sdk import records
from slurm.sdk.array_job import ArrayJob
from slurm.sdk.calls.folder import CALLS, JobFiles, folder_name
from slurm.sdk.calls.pickling import read_result
from slurm.sdk.job import Job
from slurm.sdk.place import Place
from slurm.sdk.published import metadata
from slurm.sdk.tasks import SlurmTask


class WorkflowContext:
    """A workflow at work: its `name`, its `cluster`, its own `workflow_job_id` and `workflow_job_dir`, and `shared_dir` for files that its
    tasks exchange.

    The n-th call of a task is recorded in `.calls/<task>/<n>.json`. When the workflow runs again after a requeue, a recorded call whose
    job has not failed is not made a second time. So a workflow has to call its tasks in the same order each time.
    """

    def __init__(self, cluster: Place, workflow_job_id: str, workflow_job_dir: str | Path, shared_dir: str | Path | None = None,
                 local_mode: bool = False, name: str = "") -> None:
        self.cluster = cluster
        self.workflow_job_id = workflow_job_id
        self.workflow_job_dir = Path(workflow_job_dir)
        self.shared_dir = Path(shared_dir) if shared_dir is not None else self.workflow_job_dir / "shared"
        self.local_mode = local_mode
        self.name = name
        self._calls: Counter[str] = Counter()
        for folder in (self.shared_dir, self.tasks_dir):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def tasks_dir(self) -> Path:
        """Where the folders of the submitted tasks lie."""
        return self.workflow_job_dir / "tasks"

    @property
    def result_path(self) -> Path:
        """Where the workflow's own result lies once it has ended well: its folder is named by its key."""
        return Path(JobFiles(str(self.workflow_job_dir), self.workflow_job_dir.name).result)

    @property
    def metadata_path(self) -> Path:
        """What is known of the workflow's job, as JSON."""
        return self.workflow_job_dir / "metadata.json"

    def load_workflow_result(self, path: str | os.PathLike[str]) -> Any:
        """What the workflow whose folder this is returned; FileNotFoundError when it has not."""
        return _result(Path(path))

    def get_task_output_dir(self, task_name: str) -> Path:
        """Where the runs of one task lie."""
        return self.tasks_dir / folder_name(task_name)

    def list_task_runs(self, task_name: str) -> list[Path]:
        """The folders of the runs of one task, the latest first."""
        folder = self.get_task_output_dir(task_name)
        return sorted((run for run in folder.iterdir() if run.is_dir()), reverse=True) if folder.is_dir() else []

    def get_latest_task_result(self, task_name: str) -> Any:
        """What the latest run of a task returned; FileNotFoundError when none has."""
        for run in self.list_task_runs(task_name):
            with contextlib.suppress(FileNotFoundError):
                return _result(run)
        raise FileNotFoundError(f"no run of {task_name} below {self.tasks_dir} has left a result")

    def submit_call(self, task: SlurmTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[Any]:
        """Submit a call, unless this very call was submitted before this workflow was requeued."""
        record = self._record(task)
        found = records.found(record, self.cluster, task, None)
        if isinstance(found, Job):
            found.remember(task, args, kwargs)
            return found
        from slurm.sdk.calls import submission  # only submitting needs it

        job = submission.submit_call(self.cluster, str(self.tasks_dir), task, args, kwargs, lambda files: records.begin(record, files))
        records.remember(record, job)
        self._tell(task, job)
        return job

    def submit_map(self, task: SlurmTask[..., Any], items: list[Any], limit: int) -> ArrayJob[Any]:
        """Submit an array, unless this very one was submitted before."""
        record = self._record(task)
        found = records.found(record, self.cluster, task, len(items))
        from slurm.sdk.calls import batches, submission  # only submitting needs it

        if isinstance(found, ArrayJob):
            found.remember(task, items, [batches.arguments(item) for item in items])
            return found
        array = submission.submit_map(self.cluster, str(self.tasks_dir), task, items, limit, lambda files: records.begin(record, files))
        records.remember(record, array)
        self._tell(task, array)
        return array

    def _tell(self, task: SlurmTask[..., Any], job: Job[Any] | ArrayJob[Any]) -> None:
        metadata.submitted(self.cluster, job, task.name, task.workflow, self.workflow_job_id)
        told = self.cluster.audience()
        submitted = job.ids if isinstance(job, ArrayJob) else not job.cached
        if told is not None and submitted:
            told.child(self, task, job)

    def _record(self, task: SlurmTask[..., Any]) -> Path:
        name = folder_name(str(task))
        self._calls[name] += 1
        return self.workflow_job_dir / CALLS / name / f"{self._calls[name]}.json"


def _result(folder: Path) -> Any:
    """The result in the folder of a job."""
    found = sorted(folder.glob("slurm_job_*_result.pkl"))
    if not found:
        raise FileNotFoundError(f"there is no result in {folder}")
    return read_result(str(found[0]), folder.name)
