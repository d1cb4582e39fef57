"""What the published SDK's runner does around a call, for programs that call it piece by piece.

Ours does the same in `inside.runner` and `inside.injection`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

from slurm.sdk.callbacks import inside
from slurm.sdk.callbacks.base import BaseCallback
from slurm.sdk.callbacks.calling import report
from slurm.sdk.inside import awaiting, injection, loading
from slurm.sdk.inside.runtime import JobContext
from slurm.sdk.published.runtime import _bind_job_context

__all__ = ["bind_workflow_context", "execute_task", "function_wants_workflow_context", "get_environment_snapshot",
    "handle_job_context_injection",
           "load_callbacks", "run_callbacks"]


def load_callbacks(callbacks_file: str) -> list[BaseCallback]:
    """The callbacks that came with a job in this file; one that cannot be loaded is said on standard error."""
    return inside.loaded(callbacks_file)


def run_callbacks(callbacks: Sequence[BaseCallback], method_name: str, *args: Any, **kwargs: Any) -> None:
    """Call this method of those that have it; one that raises is said on standard error."""
    for callback in callbacks:
        try:
            getattr(callback, method_name, _nothing)(*args, **kwargs)
        except (Exception, SystemExit) as error:
            # It is the user's code: it may raise anything, and the job is not to suffer.
            report(callback, method_name, error)


def get_environment_snapshot() -> dict[str, str]:
    """The variables that callbacks are told of."""
    return inside.snapshot(os.environ)


def execute_task(func: Any, task_args: tuple[Any, ...], task_kwargs: Mapping[str, Any]) -> Any:
    """What a task's own function, or any other, returns."""
    return awaiting.waited(loading.function(func))(*task_args, **task_kwargs)


def handle_job_context_injection(func: Any, task_args: tuple[Any, ...], task_kwargs: Mapping[str, Any], job_context: JobContext,
        module_name: str = "",
                                 function_name: str = "") -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the job's context among them where the function takes one."""
    args, kwargs, _ = _bind_job_context(func, task_args, task_kwargs, job_context)
    return args, kwargs


def function_wants_workflow_context(func: Any) -> bool:
    """Whether a function, if it is a workflow's, takes a WorkflowContext."""
    return bool(_workflow_parameters(func))


def bind_workflow_context(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any],
                          workflow_context: Any) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """The call with the context by keyword, and whether there was a place for it: what the caller gave stays as it is."""
    names = [name for name, place in _workflow_parameters(func).items() if name not in kwargs and place >= len(args)]
    return args, {**kwargs, **dict.fromkeys(names, workflow_context)}, bool(names)


def _workflow_parameters(func: Any) -> dict[str, int]:
    """Each with its place."""
    signature = injection.signature_of(inspect.unwrap(getattr(func, "func", func)))
    parameters = signature.parameters.values() if signature is not None else ()
    return {parameter.name: place for place, parameter in enumerate(parameters)
        if injection.kind_of(parameter, workflow=True) == injection.WORKFLOW}


def _nothing(*args: object, **kwargs: object) -> None:
    """Stands for a method that a callback lacks."""
