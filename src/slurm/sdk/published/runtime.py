"""Which parameters take the job's context, by the published SDK's private names. The rules stand in `sdk.injection`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from slurm.sdk.inside.runtime import JobContext

__all__ = ["_bind_job_context", "_function_wants_job_context"]


def _function_wants_job_context(func: Callable[..., Any]) -> bool:
    """Whether a parameter is called `job` or annotated as a JobContext."""
    return bool(_parameters(func)[1])


def _bind_job_context(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any],
        context: JobContext) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """The call with the context in its place, and whether there was a place: one that the caller filled stays as it is."""
    parameters, wanted = _parameters(func)
    found, injected = dict(kwargs), False
    for place, parameter in enumerate(parameters):
        if parameter.name not in wanted or parameter.name in found:
            continue
        positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if positional and place < len(args):
            continue
        if positional and place == len(args):
            args = (*args, context)
        else:
            found[parameter.name] = context
        injected = True
    return args, found, injected


def _parameters(func: Any) -> tuple[list[inspect.Parameter], frozenset[str]]:
    plain = inspect.unwrap(getattr(func, "func", func))
    try:
        parameters = list(inspect.signature(plain).parameters.values())
    except (TypeError, ValueError):
        return [], frozenset()
    alone = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return parameters, frozenset(one.name for one in alone if one.name == "job" or "JobContext" in inspect.formatannotation(one.annotation))
