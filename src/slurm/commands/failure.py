"""Failure: what a subcommand of `slurm` says when it cannot do what it was asked to, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.model.errors import SlurmError


class Failure(SlurmError):
    """An error with the word, `kind`, by which programs tell it from others."""

    def __init__(self, kind: str, message: str, hints: Iterable[str] = ()) -> None:
        super().__init__(message=message, hints=hints)
        self.kind = kind


def kind_of(error: SlurmError) -> str:
    """The word for an error: its own, else Slurm's name of it."""
    return error.kind if isinstance(error, Failure) else error.name
