"""The active cluster of the code that runs: set by `with cluster:` and, inside a workflow's job, by the runner."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any, Protocol

from slurm.sdk.errors import NoCluster


class Submitter(Protocol):
    """What a task needs of the active context. `Any` stands for Job and ArrayJob, which are typed by what their task returns."""

    def submit_call(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit one call of a task; its Job."""
        ...

    def submit_map(self, task: Any, items: list[Any], limit: int) -> Any:
        """Submit one call an item; its ArrayJob."""
        ...


_active: ContextVar[Submitter | None] = ContextVar("slurm_active_context", default=None)


def active(task: str) -> Submitter:
    """The active context; NoCluster says how a task is called."""
    found = _active.get()
    if found is None:
        raise NoCluster(
            f"@task decorated function '{task}' must be called within a Cluster context or @workflow:\n"
            f"    with Cluster(backend_type=\"local\"):\n        job = {task}(...)\n"
            f"To call it here and now, as a plain function: {task}.unwrapped(...)")
    return found


def current() -> Submitter | None:
    """The active context, None where there is none."""
    return _active.get()


def enter(context: Submitter | None) -> Token[Submitter | None]:
    """Make a context the active one; the token takes it back."""
    return _active.set(context)


def leave(token: Token[Submitter | None]) -> None:
    """Return to the context before."""
    _active.reset(token)
