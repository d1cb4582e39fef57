"""`slurm.ui`: a line or a bar on a terminal while something lasts. Nothing is shown without a console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_task", "status"]


@contextmanager
def status(console: Any, msg: str) -> Iterator[None]:
    """A line that lives while the block runs."""
    if console is None:
        yield
        return
    with console.status(msg):
        yield


@contextmanager
def progress_task(console: Any, description: str, *, total: int | None = None, transient: bool = True) -> Iterator[tuple[Any, int | None]]:
    """A bar while the block runs, as (progress, its number in it); (None, None) without a console."""
    if console is None:
        yield None, None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console,
            transient=transient) as bar:
        yield bar, bar.add_task(description, total=total)
