"""Which part of a call cannot travel to its job: looked for only after pickling the whole has failed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slurm.sdk.calls.pickling import dumps


def named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], error: TypeError) -> TypeError:
    """`error`, as said of the first argument, or of the first variable that the function uses, that cannot be pickled by itself."""
    name = getattr(function, "__name__", type(function).__name__)
    for what, value in _parts(name, function, args, kwargs):
        try:
            dumps(value)
        except TypeError as problem:
            kind = type(value)
            return TypeError(str(problem).replace("this ", f"{what} (a {kind.__module__}.{kind.__qualname__}) ", 1))
    return error


def _parts(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    try:
        bound = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        # some builtins tell nothing about themselves
        bound = {**{f"number {number}": value for number, value in enumerate(args, 1)}, **kwargs}
    for parameter, value in bound.items():
        yield f"argument {parameter} of {name}", value
    if inspect.isfunction(function):
        used = inspect.getclosurevars(function)
        for variable, value in {**used.globals, **used.nonlocals}.items():
            yield f"the variable {variable} that {name} uses", value
