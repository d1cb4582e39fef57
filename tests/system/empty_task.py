"""A task in a module of its own: what takes time with it is ours, and not the import of a test module with pytest and all."""

from __future__ import annotations

from slurm import task


@task
def empty() -> None:
    """Does nothing."""
    return
