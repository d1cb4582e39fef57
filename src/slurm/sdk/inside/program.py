"""What stands for the user's main script inside a job.

Functions and classes of the main script travel by value, but say of themselves that they live in `__main__`. `pickle`, and so
multiprocessing, looks for them there: while the task runs, `__main__` has those that travelled. Processes that are spawned run this module
in its place (`__mp_main__`) and read the call for it. Results are pickled without it: who reads them may be another program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

CALL = "SLURM_SDK_CALL"
"""Variable of the file in which spawned processes find the call."""
_OWN = ("func", "__func__", "__wrapped__")
"""Where partial functions, methods and decorated functions keep what they stand for."""


@contextmanager
def standing_in(function: Any, call: str) -> Iterator[None]:
    """While this lasts, `__main__` has what travelled with this function from the main script; `call` is the call's file."""
    found = names(function)
    if not found:
        yield
        return
    program = ModuleType("__main__")
    vars(program).update(found)
    program.__spec__ = type(__spec__)(__spec__.name, None)  # what a spawned process runs as its main module
    before = sys.modules["__main__"]
    sys.modules["__main__"] = program
    os.environ[CALL] = call
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def names(function: Any) -> dict[str, Any]:
    """What travelled of the main script with this function, by name; nothing when it is of another module."""
    while function is not None:
        own = getattr(function, "__globals__", {})
        if own.get("__name__") == "__main__":
            return {**own, function.__name__: function}
        function = next((inner for name in _OWN if (inner := getattr(function, name, None)) is not None), None)
    return {}


def _travelled(path: str) -> dict[str, Any]:
    """The names again, in a spawned process: without the results that the call is given, which may be large."""
    import io
    import pickle

    class Names(pickle.Unpickler):
        """Leaves out results."""

        def persistent_load(self, reference: object) -> None:
            return None

    with open(path, "rb") as file:
        envelope = pickle.load(file)
    return names(Names(io.BytesIO(envelope.call)).load().target)


if __name__ == "__mp_main__":
    globals().update(_travelled(os.environ[CALL]))
