"""Batches: several calls of a task made one after the other in one job, for calls so short that a job each would cost more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slurm.sdk.inside import awaiting, injection
from slurm.sdk.tasks import SlurmTask

Arguments = tuple[Any, ...]


def cut(task: SlurmTask[..., Any], calls: Sequence[Arguments], size: int) -> tuple[SlurmTask[..., Any],
        list[tuple[list[Arguments]]]] | None:
    """A task whose calls make `size` of these each, and give the list of their results, with the arguments of its own calls.

    None where every call has to be a job of its own: results are cached one by one, and contexts are those of a job.
    """
    if size == 1 or task.cache is not None or task.workflow or not calls:
        return None
    if injection.bound(injection.signature_of(task.unwrapped), calls[0], {}, workflow=False).inject:
        return None
    made = task.with_options()
    made.func = Batch(task)
    return made, [(list(calls[start:start + size]),) for start in range(0, len(calls), size)]


class Batch:
    """Makes the calls. It travels as its task does: where that can be imported, by name."""

    def __init__(self, task: SlurmTask[..., Any]) -> None:
        self.task = task
        self.__name__, self.__module__ = task.name, task.func.__module__

    def __call__(self, calls: list[Arguments]) -> list[Any]:
        call = awaiting.waited(self.task.unwrapped)
        return [call(*arguments) for arguments in calls]
