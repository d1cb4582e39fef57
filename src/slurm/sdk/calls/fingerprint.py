"""Fingerprints of calls: equal for calls that must return the same, in every process and on every day.

Pickles do not do: their bytes hang on which equal strings are one object, on the order of sets, and on random ids of classes. So values are
walked here, by kind or by what they say of themselves (`__reduce_ex__`). Functions and classes of the user count by their code and by what
that refers to, those of installed packages by their names. A dict's order counts: a function may look at it.

`Kept` finds by them which calls of a task have been made before; the job puts its result there (`inside.runner.keep`).
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import pickle
import struct
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from slurm.sdk.calls import origins
from slurm.sdk.calls.caching import Cache
from slurm.sdk.calls.folder import JobFiles, folder_name
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.following.status import Status
from slurm.sdk.job import Job
from slurm.sdk.options import TASKS, several_tasks
from slurm.sdk.place import Place
from slurm.sdk.tasks import SlurmTask

_BYTES = (bytes, bytearray, memoryview)
_OWN = ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl")
"""Attributes of a class that are not its meaning."""


class Unknown(TypeError):
    """A value that has no fingerprint."""


class TooDeep(Unknown):
    """A value nested more deeply than can be walked."""


class _Known(NamedTuple):
    """Code that was walked, kept alive for its id; `reach` is how far up the path it refers back, NOWHERE when its fingerprint tells all of
    it."""

    value: object
    found: bytes
    reach: int


NOWHERE = sys.maxsize
DEPTH = 8000
"""Frames of Python that a walk may be deep: functions that refer to functions make long ways."""


class Fingerprint:
    """Makes fingerprints; `promised` gives that of a job that stands for its result, or raises Unknown. Code is walked once."""

    def __init__(self, promised: Callable[[Promise], bytes]) -> None:
        self._promised = promised
        self._code: dict[int, _Known] = {}
        self._open: list[int] = []  # ids of code whose fingerprint does not tell all of it yet
        self._modules: dict[str, bytes] = {}
        self._path: dict[int, int] = {}
        self._reach = NOWHERE
        self._aside_of = 0

    def of(self, value: object) -> bytes:
        """32 bytes; Unknown names the kind of value that cannot be told apart."""
        kind = type(value)
        if kind is int:
            return _hash("int", f"{value:x}".encode())
        if value is None or kind in (bool, complex, type(Ellipsis), type(NotImplemented)):
            return _hash(kind.__name__, repr(value).encode())
        if kind is float:
            return _hash("float", struct.pack("<d", value))
        if isinstance(value, str) and kind is str:
            return _hash("str", value.encode("utf-8", "surrogatepass"))
        if isinstance(value, _BYTES) and kind in _BYTES:
            return _hash(kind.__name__, value.tobytes() if isinstance(value, memoryview) else value)
        if isinstance(value, Promise):
            return self._promised(value)
        if id(value) in self._code:
            self._reach = min(self._reach, self._code[id(value)].reach)
            return self._code[id(value)].found
        if id(value) in self._path:
            self._reach = min(self._reach, self._path[id(value)])
            return _hash("back", struct.pack("<q", len(self._path) - self._path[id(value)]))
        if not self._path:
            with _deep():
                return self._entered(value, kind)
        return self._entered(value, kind)

    def _entered(self, value: object, kind: type) -> bytes:
        """The fingerprint of what is made of others.

        Those found inside that refer back to it tell nothing without it, so they are kept no longer than it takes.
        """
        depth, opened, outer = len(self._path), len(self._open), self._reach
        self._path[id(value)], self._reach = depth, NOWHERE
        try:
            found = self._walked(value, kind)
        except RecursionError:
            raise TooDeep(f"a {kind.__qualname__} is nested too deeply") from None
        except TooDeep:
            raise
        except Unknown:
            if not self._aside_of:
                raise
            found = _hash("kind", f"{kind.__module__}.{kind.__qualname__}".encode())
        finally:
            del self._path[id(value)]
            reach = self._reach if self._reach < depth else NOWHERE
            self._reach = min(outer, reach)
            inner = self._open[opened:]
            if reach == NOWHERE:
                del self._open[opened:]
                for one in inner:
                    del self._code[one]
            else:
                self._code.update((one, self._code[one]._replace(reach=min(reach, self._code[one].reach))) for one in inner)
        if isinstance(value, types.FunctionType | types.CodeType | type | types.ModuleType):
            self._code[id(value)] = _Known(value, found, reach)
            if reach != NOWHERE:
                self._open.append(id(value))
        return found

    def _walked(self, value: Any, kind: type) -> bytes:
        if kind in (tuple, list):
            return _hash(kind.__name__, *map(self.of, value))
        if kind is dict:
            return _hash("dict", *(self.of(one) for pair in value.items() for one in pair))
        if kind in (set, frozenset):
            return _hash(kind.__name__, *sorted(map(self.of, value)))
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.CodeType):
            return self._code_of(value)
        if isinstance(value, types.ModuleType):
            return self._module(value.__name__)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, SlurmTask):
            return _hash("task", self.of(value.func))
        if isinstance(value, types.MethodType):
            return _hash("method", self.of(value.__func__), self.of(value.__self__))
        if isinstance(value, property | staticmethod | classmethod):
            parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value.__func__,)
            return _hash(kind.__name__, *map(self.of, parts))
        return self._reduced(value, kind)

    def _function(self, function: types.FunctionType) -> bytes:
        if origins.installed(function.__module__):
            return _hash("function", f"{function.__module__}.{function.__qualname__}".encode())
        cells = []
        for cell in function.__closure__ or ():
            try:
                cells.append(self.of(cell.cell_contents))
            except ValueError:
                cells.append(b"")  # not filled yet
        around = [name for name in sorted(_names(function.__code__)) if name in function.__globals__]
        return _hash("function", self.of(function.__code__), self.of(function.__defaults__), self.of(function.__kwdefaults__), *cells,
                     *(part for name in around for part in (name.encode(), self._aside(function.__globals__[name]))),
                     *map(self._module, sorted(origins.imported(function.__code__, function.__globals__.get("__package__") or ""))),
                     *([self._aside(function.__dict__)] if function.__dict__ else []))

    def _code_of(self, code: types.CodeType) -> bytes:
        table = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return _hash("code", repr((table, names)).encode(), code.co_code, getattr(code, "co_exceptiontable", b""),
            *map(self.of, code.co_consts))

    def _class(self, kind: type) -> bytes:
        name = f"{kind.__module__}.{kind.__qualname__}".encode()
        if origins.installed(kind.__module__):
            return _hash("class", name)
        inside = sorted((key, one) for key, one in vars(kind).items() if key not in _OWN)
        return _hash("class", name, self.of(type(kind)), *map(self.of, kind.__bases__),
            *(part for key, one in inside for part in (key.encode(), self._aside(one))))

    def _module(self, name: str) -> bytes:
        """A module that code names: of the user's the source, and that of those of the user's modules which it may use."""
        if origins.installed(name):
            return _hash("module", name.encode())
        if name not in self._modules:
            parts = (part for one in sorted(origins.reached(name)) for part in (one.encode(), origins.content(one)))
            self._modules[name] = _hash("module", name.encode(), *parts)
        return self._modules[name]

    def _aside(self, value: object) -> bytes:
        """What code refers to besides its arguments; of what in it cannot be told apart, such as a lock or a logger, only the kind
        counts."""
        if (type(value).__module__ or "").partition(".")[0] == "slurm" and not isinstance(value, SlurmTask | Promise):
            return _hash("kind", type(value).__qualname__.encode())
        self._aside_of += 1
        try:
            return self.of(value)
        finally:
            self._aside_of -= 1

    def _reduced(self, value: Any, kind: type) -> bytes:
        try:
            if isinstance(value, pickle.PickleBuffer):
                return _hash("buffer", value.raw())
            reducer = copyreg.dispatch_table.get(kind)
            said: Any = reducer(value) if reducer is not None else value.__reduce_ex__(5)
        except Unknown:
            raise
        except Exception as error:
            # What a __reduce_ex__ of somebody else's may raise is not ours to list.
            raise Unknown(f"a {kind.__module__}.{kind.__qualname__} cannot be told from others: {type(error).__name__}: {error}") from error
        if isinstance(said, str):
            return self._named(value, said)
        made, args, state, items, pairs, *setter = (*said, None, None, None)[:max(5, len(said))]
        return _hash("object", self.of(kind), self.of(made), self.of(tuple(args)), self.of(state), *map(self.of, items or ()), b"",
                     *(self.of(tuple(pair)) for pair in pairs or ()), b"", *map(self.of, setter))

    def _named(self, value: Any, said: str) -> bytes:
        """What pickles by its name: of an installed module that name, of the user's also what is behind it, such as the function that a
        cache wraps."""
        module = getattr(value, "__module__", None)
        name = _hash("name", f"{module or ''}.{said}".encode())
        if not isinstance(module, str) or origins.installed(module):
            return name
        wrapped = getattr(value, "__wrapped__", None)
        behind = self.of(wrapped) if wrapped is not None else self._module(
            module) if module in sys.modules and module != "__main__" else b""
        return _hash("named", name, self.of(type(value)), behind)


def _hash(kind: str, *parts: Any) -> bytes:
    """One hash of several parts, each with its length before it, so that none runs into the next."""
    found = hashlib.sha256(kind.encode())
    for part in parts:
        view = memoryview(part).cast("B") if not isinstance(part, bytes) else part
        found.update(struct.pack("<q", len(view)))
        found.update(view)
    return found.digest()


def _names(code: types.CodeType) -> set[str]:
    """What this code and that inside it may look up around it."""
    found = set(code.co_names)
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            found |= _names(inside)
    return found


@contextmanager
def _deep() -> Iterator[None]:
    """Room for walks of DEPTH frames."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def joined(parts: Iterable[bytes]) -> bytes:
    """One fingerprint of several."""
    return _hash("several", *parts)


FORMAT = 1
"""Part of every key: raised when results are written so that older ones must not be read."""


class Kept:
    """The cache of one task on one cluster, for one submission."""

    def __init__(self, cluster: Place, task: Any, inject: Mapping[str, str]) -> None:
        policy: Cache = task.cache
        self._cluster = cluster
        self._task = task
        self._inject = frozenset(inject)
        self._policy = policy
        name = policy.where or folder_name(task.name)
        self.folder = cluster.backend.base(policy.where) if "/" in policy.where else f"{cluster.job_base_dir}/.cache/{folder_name(name)}"
        self._fingerprint = Fingerprint(_key_of)
        self._base = self._fingerprint.of((FORMAT, sys.version_info[:2], f"{task.func.__module__}.{task.name}",
            policy.version)) + self._fingerprint.of(task.func)
        options = {**cluster.defaults(), **task.sbatch_options}
        if several_tasks(options):  # each has a result of its own, which may hang on how many there are
            self._base += self._fingerprint.of([options.get(name) for name in TASKS])

    def key(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """The key of a call, as text; "" when it was handed a job whose result has none.

        TypeError names an argument that cannot be told from others.
        """
        parts = [self._base]
        for name, value in self._arguments(args, kwargs):
            try:
                parts += [name.encode(), self._fingerprint.of(value)]
            except Nameless as error:
                warnings.warn(f"{self._task.name}: this call is not cached: {error}", stacklevel=5)
                return ""
            except Unknown as error:
                raise TypeError(f"{self._task.name} has cache= but its argument {name} cannot be looked up: {error}. "
                                f"Leave it out with cache_ignore=(\"{name}\",), or turn the cache off: .with_options(cache=False)") from error
        return joined(parts).hex()[:40]

    def found(self, keys: Iterable[str]) -> dict[str, Job[Any]]:
        """Jobs that have ended, for those keys under which results lie."""
        paths = {self.path(key): key for key in keys if key}
        return {paths[path]: self._job(paths[path]) for path in self._cluster.backend.present(list(paths))}

    def path(self, key: str) -> str:
        """Where the result of a key lies; "" for none."""
        return JobFiles(self.folder, key).result if key else ""

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """The arguments by name, those that were left out with their defaults, without those that do not count."""
        try:
            bound = inspect.signature(self._task.func).bind_partial(*args, **kwargs)
        except ValueError:
            return [("args", tuple(args)), *sorted(kwargs.items())]  # some builtins tell nothing about themselves
        bound.apply_defaults()
        found: list[tuple[str, Any]] = []
        for name, value in bound.arguments.items():
            many = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            found += [(f"**{key}", one) for key, one in value.items() if key not in self._policy.ignore] if many else [(name, value)]
        return [(name, value) for name, value in found if name not in self._policy.ignore and name not in self._inject]

    def _job(self, key: str) -> Job[Any]:
        return cached_job(self._cluster, self.folder, key, str(self._task), self._task.sbatch_options)


def cached_job(cluster: Place, folder: str, key: str, name: str, options: Mapping[str, str | None]) -> Job[Any]:
    """A Job that has ended without ever having been submitted: its result lies in a cache."""
    job: Job[Any] = Job(f"cached-{key[:12]}", cluster, JobFiles(folder, key), name=name, options=options)
    job.cache_key, job.cached = key, True
    cluster.tracker.settle(job.id, Status("COMPLETED", "0:0"))
    return job


class Nameless(TypeError):
    """A job whose result has no key."""


def _key_of(promise: Promise) -> bytes:
    jobs = promise.jobs()
    if promise not in jobs:
        return joined(_key_of(job) for job in jobs)
    if jobs[0].cache_key:
        return joined([b"result", jobs[0].cache_key.encode()])
    raise Nameless(f"it was handed the result of {promise!r}, which is of no cached task, so nobody knows yet what it is")
