"""Batches: several calls of a task made one after the other in one job, for calls so short that a job each would cost more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slurm.sdk.inside import awaiting, injection

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword ones."""


def arguments(item: Any) -> Arguments:
    """An item of `.map` as the arguments that it stands for."""
    if isinstance(item, dict) and all(isinstance(key, str) for key in item):
        return (), item
    return (item if type(item) is tuple else (item,)), {}


def cut(task: Any, calls: Sequence[Arguments], size: int) -> tuple[Any, list[tuple[list[Arguments]]]] | None:
    """A task whose calls make `size` of these each, and give the list of their results, with the arguments of its own calls.

    None where every call has to be a job of its own: results are cached one by one, and contexts are those of a job.
    """
    if size == 1 or task.cache is not None or task.workflow or not calls:
        return None
    signature = injection.signature_of(task.unwrapped)
    for number, call in enumerate(calls):
        try:
            if injection.bound(signature, *call, workflow=False).inject:
                return None
        except TypeError as error:
            raise TypeError(f"item {number} of {task.name}.map(): {error}") from None
    made = task.with_options()
    made.func = Batch(task)
    return made, [(list(calls[start:start + size]),) for start in range(0, len(calls), size)]


class Batch:
    """Makes the calls. It travels as its task does: where that can be imported, by name."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.__name__, self.__module__ = task.name, task.func.__module__

    def __call__(self, calls: list[Arguments]) -> list[Any]:
        call = awaiting.waited(self.task.unwrapped)
        return [call(*args, **kwargs) for args, kwargs in calls]
