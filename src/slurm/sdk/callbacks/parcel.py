"""How callbacks travel to jobs: each pickled by itself in one file beside the call, so that one which cannot be loaded there leaves the
others whole."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from slurm.sdk.callbacks.base import HOOKS, BaseCallback, overrides
from slurm.sdk.calls.pickling import PROTOCOL, Reference, dumps
from slurm.sdk.tasks import importable


def travels(callback: BaseCallback, workflow: bool) -> bool:
    """Whether a job needs this callback: a workflow's for its children too, any other where it overrides a hook that is called there."""
    if workflow:
        return callback.requires_pickling
    return callback.requires_runner_transport() and any(callback.should_run_on_runner(hook) and overrides(callback, hook) for hook in HOOKS)


def pack(callbacks: Sequence[BaseCallback], workflow: bool) -> bytes:
    """The file of those that travel. One that cannot be pickled stays here, with a RuntimeWarning that says so."""
    from slurm.sdk.calls.submission import pickled  # which jobs, that only unpack, do without

    packed: list[tuple[str, bytes]] = []
    for callback in callbacks:
        if travels(callback, workflow):
            kind = type(callback)
            try:
                known = importable(kind.__module__, getattr(sys.modules.get(kind.__module__), "__file__", None))
                packed.append((kind.__qualname__, (dumps(callback) if known else pickled(kind, callback))[0]))
            except TypeError as error:
                warnings.warn(f"the callback {kind.__qualname__} stays on the client: {error}. Its hooks in the job are not called; "
                              "requires_pickling = False in its class says that they need not be", RuntimeWarning, stacklevel=2)
    return pickle.dumps(packed, PROTOCOL)


def unpack(data: bytes) -> list[BaseCallback]:
    """The callbacks in such a file; one that cannot be loaded is said on standard error and left out."""
    if not data:
        return []
    found = []
    for name, callback in pickle.loads(data):
        try:
            found.append(_Loader(io.BytesIO(callback)).load())
        except Exception as error:
            # Unpickling runs the user's code, which may raise anything.
            print(f"slurm: the callback {name} cannot be loaded in this job, which goes on without it: {type(error).__name__}: {error}",
                  file=sys.stderr)
    return found


class _Loader(pickle.Unpickler):
    """A job that a callback keeps, its result perhaps not there yet, is loaded as a record of its `id` and the path of its result."""

    def persistent_load(self, reference: Reference) -> Any:
        _, job, where = reference
        return SimpleNamespace(id=job, result_path=where)
