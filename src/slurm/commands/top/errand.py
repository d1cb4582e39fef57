"""Errands: what may take long is done in threads that nobody waits for at the end; the screen hears of it when it is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from textual.app import App

from slurm.model.errors import SlurmError
from slurm.sdk.errors import SdkError
from slurm.sdk.following import inspection

Found = TypeVar("Found")
EXPECTED = (SdkError, SlurmError, OSError)
"""What a cluster may answer with; anything else is a mistake of this program, and ends it visibly."""


def send(app: App[int], work: Callable[[], Found], done: Callable[[Found], None], failed: Callable[[Exception], None]) -> None:
    """Do `work` in a thread of its own; then, in the app's, `done` with what it returned or `failed` with the error it met."""

    def run() -> None:
        try:
            found = work()
        except EXPECTED as error:
            app.call_later(failed, error)
        except Exception as mistake:
            app.call_later(_raise, mistake)
        else:
            app.call_later(done, found)

    # A daemon: leaving must not wait for a login node that does not answer.
    threading.Thread(target=run, daemon=True, name="slurm-top-errand").start()


def _raise(mistake: Exception) -> None:
    raise mistake


def sentence(error: Exception) -> str:
    """An error in one line, without the places where a cluster was looked for: there is room for what to do."""
    lines = error.lines() if isinstance(error, SlurmError) else inspection.lines(str(error)) or [type(error).__name__]
    return "; ".join(" ".join(line.split()) for line in lines if not line.startswith("tried "))
