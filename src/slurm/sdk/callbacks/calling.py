"""Calling hooks, so that one that raises is reported and does no harm."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from slurm.sdk.callbacks.base import BaseCallback, overrides
from slurm.sdk.callbacks.contexts import ExecutionLocus


def call(callbacks: Iterable[BaseCallback], locus: ExecutionLocus, hook: str, context: object) -> None:
    """Call this hook of those callbacks that override it and want it called here."""
    for callback in callbacks:
        wanted = callback.should_run_on_client if locus == ExecutionLocus.CLIENT else callback.should_run_on_runner
        if wanted(hook) and overrides(callback, hook):
            try:
                getattr(callback, hook)(context)
            except (Exception, SystemExit) as error:
                # It is the user's code: it may raise anything, and the job is not to suffer.
                report(callback, hook, error)


def listens(callbacks: Iterable[BaseCallback], *hooks: str) -> bool:
    """Whether any of these hooks does anything on the client."""
    return any(callback.should_run_on_client(hook) and overrides(callback, hook) for callback in callbacks for hook in hooks)


def report(callback: BaseCallback, hook: str, error: BaseException) -> None:
    """Say on standard error which callback raised what, and where."""
    import traceback

    text = "".join(traceback.format_exception(error))
    print(f"slurm: the callback {type(callback).__qualname__} raised in {hook}; the job goes on\n{text}", end="", file=sys.stderr,
        flush=True)
