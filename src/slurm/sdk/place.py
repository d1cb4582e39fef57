"""Place: a cluster, as who submits to it or works in it sees it. `Cluster` is one; a module that needs one without making it asks for this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from slurm.sdk.following.tracker import Home
from slurm.sdk.job import Job
from slurm.sdk.tasks import P, SlurmTask, Submittable, T


class Place(Home, Protocol):
    """Where tasks are submitted, with what all jobs there have in common."""

    callbacks: list[Any]
    backend_type: str
    default_account: str | None
    default_partition: str | None
    default_packaging: Any
    python: str
    setup: str
    script_permissions: int
    packaging_defaults: dict[str, Any]

    @property
    def job_base_dir(self) -> str:
        """Below which the folders of jobs are made."""
        ...

    @property
    def home(self) -> str:
        """Where relative paths begin that are for jobs."""
        ...

    def submit(self, task_func: SlurmTask[P, T], packaging_config: object = None, after: Any = None, **options: Any) -> Submittable[P, T]:
        """What submits this task here."""
        ...

    def get_job(self, job_id: str) -> Job[Any]:
        """A job by its id."""
        ...

    def defaults(self) -> Mapping[str, str | None]:
        """Options for every job."""
        ...

    def travelling(self, packaging: dict[str, Any]) -> bytes:
        """This cluster for a workflow's job, whose children have this packaging: `pickle.loads(…)(callbacks)` makes it there."""
        ...

    def audience(self) -> Any:
        """Who tells its callbacks; None when it has none."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
