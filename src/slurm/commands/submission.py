"""What the commands that submit say when the cluster refuses."""

from __future__ import annotations

from slurm.model.errors import SlurmError

_PREFIX = {"ESLURM_INVALID_GRES": ""}
"""Errors that Slurm finds before it submits, so that nothing stands before its sentence."""


def submit_prefix(failure: SlurmError, prefix: str) -> str:
    """`prefix`, such as "Batch job submission failed: ", unless Slurm prints this error bare."""
    return _PREFIX.get(failure.name, prefix)
