"""How calls and results become bytes and objects again. Every job imports this module, so cloudpickle is loaded only where it is needed.

A call is pickled with cloudpickle: closures, lambdas and what `__main__` defines travel by value. A job inside it, at whatever depth,
becomes a reference to that job's result and is loaded where the call is made. Results travel as plain pickles where that does.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import _lru_cache_wrapper, lru_cache
from typing import Any, BinaryIO, NamedTuple

from slurm.sdk.calls.folder import whole
from slurm.sdk.errors import ResultUnreadable, ResultUnwritten

PROTOCOL = 5
RESULT, RESULTS, CHUNKS = "result", "results", "chunks"

Reference = tuple[str, Any, Any]
"""(RESULT, job id, path) or (RESULTS, array id, list of paths); CHUNKS where each of these holds a list of results."""


class Promise:
    """What stands for a value that a job will have: jobs and arrays. Pickled as an argument it becomes the value."""

    __slots__ = ()

    def jobs(self) -> Sequence[Any]:
        """The jobs (`sdk.job.Job`) that it is, or is made of."""
        return ()

    def reference(self) -> Reference:
        """How the value is found once the job has ended."""
        raise TypeError(f"{type(self).__name__} cannot be handed to a task")


class Call(NamedTuple):
    """What a job has to do: `target` is (module, name) or the function itself; an array's `args` and `kwargs` lie with its items.

    `retry` is the task's wish to be tried again (a `retry.Retry`), None without one.
    """

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    retry: Any = None


class Envelope(NamedTuple):
    """What stands around a pickled call and can be read without anything of the user's: see the fields."""

    call: bytes
    task: str
    python: tuple[int, int]
    path: list[str]  # where modules are found besides the usual places
    inject: dict[str, str]  # parameter → "job" or "workflow": contexts that the runner supplies
    cluster: bytes  # how a workflow makes its cluster (`place.Place.travelling`); b"" for a task
    callbacks: bool = False  # whether callbacks came with it
    behind: Sequence[str] = ()  # where modules are found that the usual places lack
    keep: bool = False  # whether results go into a cache too


def dumps(value: object) -> tuple[bytes, list[Promise]]:
    """The bytes of arguments or calls, and the jobs that were found in them; TypeError names what cannot be pickled."""
    buffer = io.BytesIO()
    pickler = _pickler()(buffer)
    try:
        pickler.dump(value)
    except RecursionError:
        raise
    except Exception as error:
        # What a __reduce__ of somebody else's may raise is not ours to list.
        raise TypeError(f"this cannot be sent to a job: {type(error).__name__}: {error}") from error
    return buffer.getvalue(), pickler.found


def loads(data: bytes) -> Any:
    """The value again, with the results of the jobs that were in it; ResultUnreadable when one cannot be had."""
    return _Loader(io.BytesIO(data)).load()


def write_result(path: str, value: object) -> None:
    """Write what a task returned; ResultUnwritten when it cannot be pickled or the disk does not take it.

    Arrays go to disk without a copy in memory.
    """
    try:
        with whole(path) as file:
            try:
                pickle.dump(value, file, PROTOCOL)
            except (pickle.PicklingError, AttributeError, TypeError, ImportError):
                file.seek(0)
                file.truncate()
                _dump_by_value(value, file)
    except OSError as error:
        raise ResultUnwritten(f"the task has returned, but its result cannot be written to {path}: {error}") from error


def read_result(path: str, job: str) -> Any:
    """What a task returned; FileNotFoundError when it is not there, ResultUnreadable when it is no whole pickle that can be loaded here."""
    with open(path, "rb") as file:
        return load_result(file, path, job)


def load_result(file: BinaryIO, path: str, job: str) -> Any:
    """As `read_result`, from an open file; `path` is for messages."""
    try:
        skip_header(file)
        return pickle.load(file)
    except Exception as error:
        # Unpickling runs constructors of the user's classes, which may raise anything.
        raise ResultUnreadable(f"the result of job {job} cannot be read from {path}: {type(error).__name__}: {error}") from error


def _dump_by_value(value: object, file: BinaryIO) -> None:
    import cloudpickle

    try:
        cloudpickle.dump(value, file, PROTOCOL)
    except Exception as error:
        kind = type(value)
        raise ResultUnwritten(
            f"what the task returned cannot be pickled, a {kind.__module__}.{kind.__qualname__}: {type(error).__name__}: {error}") from error


def skip_header(file: BinaryIO) -> None:
    """Go to where the pickle begins: the published SDK, from 0.4.6 on, writes a line of text before its pickles."""
    start = file.read(2)
    if start == b"# ":
        file.readline()
    else:
        file.seek(0)


class _Loader(pickle.Unpickler):
    """Loads the results that stand where jobs stood."""

    def persistent_load(self, reference: Reference) -> Any:
        kind, job, where = reference
        try:
            if kind == RESULT:
                return read_result(where, job)
            found = [read_result(path, f"{job}_{number}") for number, path in enumerate(where)]
            return found if kind == RESULTS else [one for some in found for one in some]
        except FileNotFoundError as error:
            raise ResultUnreadable(f"job {job} left no result at {error.filename}") from error


def code_of_file(parts: tuple[Any, ...], filename: str) -> types.CodeType:
    """Code again, knowing the file it was written in."""
    return types.CodeType(*parts).replace(co_filename=filename)


def function_of(code: types.CodeType, names: dict[str, Any], *rest: Any) -> types.FunctionType:
    """A function again, before `completed`: what it refers to may refer to it."""
    names["__builtins__"] = __builtins__
    return types.FunctionType(code, names, *rest)


def completed(function: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a function the rest of itself, as cloudpickle noted it; what it notes for its own sake is left out."""
    attributes, slots = state
    vars(function).update(attributes)
    function.__globals__.update(slots.pop("__globals__"))
    slots.pop("_cloudpickle_submodules", None)
    for own, cell in zip(function.__closure__ or (), slots.pop("__closure__") or (), strict=True):
        with suppress(ValueError):  # the cell is empty yet
            own.cell_contents = cell.cell_contents
    for name, value in slots.items():
        setattr(function, name, value)


def cached_of(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """A function under `functools.lru_cache` again, with nothing in its cache."""
    return lru_cache(**parameters)(function)


def cell_of(*content: Any) -> types.CellType:
    """A variable of a closure again."""
    return types.CellType(*content)


_made: list[Callable[[BinaryIO], Any]] = []


def _pickler() -> Callable[[BinaryIO], Any]:
    """A class, made when it is first needed: its base is cloudpickle's."""
    if not _made:
        from collections import ChainMap

        import cloudpickle

        reduced = cloudpickle.Pickler.dispatch_table[types.CodeType]

        def reduce_code(code: types.CodeType) -> Any:
            # cloudpickle leaves out the file, and a traceback from the job would name no place in the program
            _, parts, *_ = reduced(code)
            return code_of_file, (parts, code.co_filename)

        def reduce_cell(cell: types.CellType) -> Any:
            try:
                return cell_of, (cell.cell_contents,)
            except ValueError:
                return cell_of, ()

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
            """Replaces jobs by references, and remembers them. Code keeps the name of its file, and functions become functions again
            without cloudpickle: a job of an array takes longer to import it than for all else of ours."""

            dispatch_table = ChainMap({types.CodeType: reduce_code, types.CellType: reduce_cell}, cloudpickle.Pickler.dispatch_table)

            def reducer_override(self, value: Any) -> Any:
                if isinstance(value, _lru_cache_wrapper) and (value.__module__ == "__main__" or "<" in value.__qualname__):
                    return cached_of, (value.__wrapped__, value.cache_parameters())  # left to itself it would claim that it can be imported
                reduced = super().reducer_override(value)
                if isinstance(value, types.FunctionType) and isinstance(reduced, tuple) and len(reduced) == 6:
                    _, parts, state, items, pairs, _ = reduced
                    return function_of, parts, state, items, pairs, completed
                return reduced

            def __init__(self, file: BinaryIO) -> None:
                super().__init__(file, PROTOCOL)
                self.found: list[Promise] = []

            def persistent_id(self, value: object) -> Reference | None:
                if not isinstance(value, Promise):
                    return None
                self.found.append(value)
                return value.reference()

        _made.append(Pickler)
    return _made[0]


def python_version() -> tuple[int, int]:
    """What has to be equal where functions travel by value."""
    return sys.version_info[0], sys.version_info[1]
