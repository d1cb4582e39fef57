"""The active cluster under the published SDK's private names, which its programs' tests use. What it is stands in `sdk.context`."""

from __future__ import annotations

from contextvars import Token
from typing import Any

from slurm.sdk import context

__all__ = ["_clear_active_context", "_get_active_context", "_reset_active_context", "_resolve_cluster", "_set_active_context"]


def _get_active_context() -> Any:
    """The cluster or workflow that `with` made active, None outside of any."""
    return context.current()


def _set_active_context(active: Any) -> Token[context.Submitter | None]:
    """Make one the active one; the token takes it back."""
    return context.enter(active)


def _reset_active_context(token: Token[context.Submitter | None]) -> None:
    """Return to the one before."""
    context.leave(token)


def _clear_active_context() -> None:
    """Be outside of any."""
    context.enter(None)


def _resolve_cluster(caller_name: str) -> Any:
    """The active cluster, a workflow's own within it; NoCluster, a RuntimeError, outside of any."""
    active = context.active(caller_name)
    return getattr(active, "cluster", active)
