"""Parameters that a task does not get from its caller but from its job: which they are, and what they get."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

JOB, WORKFLOW = "job", "workflow"
_WORKFLOW_NAMES = ("ctx", "context", "workflow_context")
_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Bound(NamedTuple):
    """A call that fits its function: what to call it with, and the parameters that the job supplies, each with its kind."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inject: dict[str, str]


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The parameters of a function; None for builtins that tell nothing about themselves."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def bound(signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, workflow: bool) -> Bound:
    """Check a call against the signature of its function; TypeError when it does not fit.

    JobContext goes to a parameter annotated with it or, having no annotation, called `job`; WorkflowContext, in a workflow only, to one
    annotated with it or called `ctx`, `context` or `workflow_context`. The caller counts his positions without them. Source: the published
    SDK, whose plain tasks lose a parameter called `context`.
    """
    if signature is None:
        return Bound(args, dict(kwargs), {})
    wanted = {name: kind for name, parameter in signature.parameters.items() if name not in kwargs
        and (kind := kind_of(parameter, workflow))}
    if wanted:
        others = signature.replace(parameters=[one for name, one in signature.parameters.items() if name not in wanted])
        try:
            found = others.bind(*args, **kwargs)
        except TypeError:
            found = None  # perhaps the caller supplied the context himself
        if found is not None:
            if found.args and any(name in wanted for name in list(signature.parameters)[:len(found.args)]):
                return Bound((), {**found.arguments}, wanted)
            return Bound(args, dict(kwargs), wanted)
    given = signature.bind_partial(*args, **kwargs).arguments
    job = signature.parameters.get("job")
    by_name = {"job": JOB} if job is not None and "job" not in given and job.annotation is job.empty and job.kind not in _COLLECTING else {}
    signature.bind(*args, **{**dict.fromkeys(by_name), **kwargs})
    return Bound(args, dict(kwargs), by_name)


def kind_of(parameter: inspect.Parameter, workflow: bool) -> str:
    """Which context a parameter takes in a task, or in a workflow; "" for none, TypeError for one that no task gets."""
    if parameter.kind in (_POSITIONAL_ONLY, *_COLLECTING):
        return ""
    if parameter.annotation is inspect.Parameter.empty:
        return WORKFLOW if workflow and parameter.name in _WORKFLOW_NAMES else ""
    text = parameter.annotation if isinstance(parameter.annotation, str) else inspect.formatannotation(parameter.annotation)
    if "WorkflowContext" in text:
        if not workflow:
            raise TypeError(f"the parameter {parameter.name} is a WorkflowContext: only the job of a function under @workflow gets one")
        return WORKFLOW
    return JOB if "JobContext" in text else ""
