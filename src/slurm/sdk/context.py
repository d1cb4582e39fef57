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


_active: ContextVar[Submitter | None] = ContextVar("slurm_active_context")
_staying: Submitter | None = None
"""What `Cluster.activate` made the active one."""
_entered: list[Submitter] = []
"""Those that are active somewhere in this program: threads begin without variables of a context, and get it when there is only one."""


def active(task: str) -> Submitter:
    """The active context; NoCluster says how a task is called."""
    found = current()
    if found is None:
        several = f"\n{len(_entered)} are active in other threads; to choose: Cluster.submit({task})(...)" if len(_entered) > 1 else ""
        raise NoCluster(
            f"@task decorated function '{task}' must be called within a Cluster context or @workflow:\n"
            f"    with Cluster(backend_type=\"local\"):\n        job = {task}(...)\n"
            f"To call it here and now, as a plain function: {task}.unwrapped(...){several}")
    return found


def current() -> Submitter | None:
    """The active context of this thread, else the only one of the program, else the one that stays; None where there is none."""
    try:
        return _active.get()
    except LookupError:
        return _entered[0] if _entered and all(one is _entered[0] for one in _entered) else None if _entered else _staying


def stay(context: Submitter) -> None:
    """Make a context the active one for good, where no block has another; the one for which that was done before is no more."""
    global _staying
    _staying = context


def enter(context: Submitter | None) -> Token[Submitter | None]:
    """Make a context the active one; the token takes it back."""
    if context is not None:
        _entered.append(context)
    return _active.set(context)


def leave(token: Token[Submitter | None]) -> None:
    """Return to the context before."""
    left = _active.get()
    _active.reset(token)
    if left is not None:
        _entered.remove(left)
