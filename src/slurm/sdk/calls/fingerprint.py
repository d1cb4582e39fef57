"""Fingerprints of calls: equal for calls that must return the same, in every process and on every day.

Pickles do not do: their bytes hang on which equal strings are one object, on the order of sets, and on random ids of classes. So values are walked here, by
kind or by what they say of themselves (`__reduce_ex__`). Functions and classes of the user count by their code and by what that refers to, those of installed
packages by their names. A dict's order counts: a function may look at it.
"""

from __future__ import annotations

import copyreg
import hashlib
import os
import pickle
import struct
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from slurm.sdk.calls import shipping
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.tasks import SlurmTask

_BYTES = (bytes, bytearray, memoryview)
_OWN = ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__", "__annotations__", "__abstractmethods__", "_abc_impl")
"""Attributes of a class that are not its meaning."""


class Unknown(TypeError):
    """A value that has no fingerprint."""


class Fingerprint:
    """Makes fingerprints; `promised` gives that of a job that stands for its result, or raises Unknown. Code is walked once."""

    def __init__(self, promised: Callable[[Promise], bytes]) -> None:
        self._promised = promised
        self._code: dict[int, tuple[object, bytes]] = {}
        self._sources: dict[str, bytes] = {}
        self._path: dict[int, int] = {}

    def of(self, value: object) -> bytes:
        """32 bytes; Unknown names the kind of value that cannot be told apart."""
        kind = type(value)
        if value is None or kind in (bool, int, complex, type(Ellipsis), type(NotImplemented)):
            return _hash(kind.__name__, repr(value).encode())
        if kind is float:
            return _hash("float", struct.pack("<d", value))
        if isinstance(value, str) and kind is str:
            return _hash("str", value.encode("utf-8", "surrogatepass"))
        if isinstance(value, _BYTES) and kind in _BYTES:
            return _hash(kind.__name__, value)
        if isinstance(value, Promise):
            return self._promised(value)
        if id(value) in self._code:
            return self._code[id(value)][1]
        if id(value) in self._path:
            return _hash("back", struct.pack("<q", len(self._path) - self._path[id(value)]))
        self._path[id(value)] = len(self._path)
        try:
            found = self._walked(value, kind)
        except RecursionError:
            raise Unknown(f"a {kind.__qualname__} is nested too deeply") from None
        finally:
            del self._path[id(value)]
        if isinstance(value, types.FunctionType | types.CodeType | type | types.ModuleType):
            self._code[id(value)] = (value, found)
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
            return self._module(value)
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
        if _installed(function.__module__):
            return _hash("function", f"{function.__module__}.{function.__qualname__}".encode())
        cells = []
        for cell in function.__closure__ or ():
            try:
                cells.append(self.of(cell.cell_contents))
            except ValueError:
                cells.append(b"")  # not filled yet
        around = [name for name in sorted(_names(function.__code__)) if name in function.__globals__]
        return _hash("function", self.of(function.__code__), self.of(function.__defaults__), self.of(function.__kwdefaults__), *cells,
                     *(part for name in around for part in (name.encode(), self._aside(function.__globals__[name]))))

    def _code_of(self, code: types.CodeType) -> bytes:
        table = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return _hash("code", repr((table, names)).encode(), code.co_code, getattr(code, "co_exceptiontable", b""), *map(self.of, code.co_consts))

    def _class(self, kind: type) -> bytes:
        name = f"{kind.__module__}.{kind.__qualname__}".encode()
        if _installed(kind.__module__):
            return _hash("class", name)
        inside = sorted((key, one) for key, one in vars(kind).items() if key not in _OWN)
        return _hash("class", name, *map(self.of, kind.__bases__), *(part for key, one in inside for part in (key.encode(), self._aside(one))))

    def _module(self, module: types.ModuleType) -> bytes:
        """A module that the code names: of the user's the source, and that of those of the user's modules which it knows."""
        name = module.__name__
        if _installed(name):
            return _hash("module", name.encode())
        if name not in self._sources:
            self._sources[name] = b""
            with open(str(module.__file__), "rb") as file:
                own = file.read()
            others = {other for one in list(vars(module).values())
                      if (other := one.__name__ if isinstance(one, types.ModuleType) else getattr(one, "__module__", None)) and other != name}
            known = sorted(other for other in others if isinstance(other, str) and other in sys.modules and not _installed(other))
            self._sources[name] = _hash("module", name.encode(), own, *(self._module(sys.modules[other]) for other in known))
        return self._sources[name]

    def _aside(self, value: object) -> bytes:
        """What code refers to besides its arguments; of what cannot be told apart, such as a lock or a logger, only the kind counts."""
        if (type(value).__module__ or "").partition(".")[0] == "slurm" and not isinstance(value, SlurmTask | Promise):
            return _hash("kind", type(value).__qualname__.encode())
        try:
            return self.of(value)
        except Unknown:
            if isinstance(value, Promise):
                raise
            return _hash("kind", f"{type(value).__module__}.{type(value).__qualname__}".encode())

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
            return _hash("name", f"{getattr(value, '__module__', '')}.{said}".encode())
        made, args, state, items, pairs = (*said, None, None, None)[:5]
        return _hash("object", self.of(kind), self.of(made), self.of(tuple(args)), self.of(state),
                     *map(self.of, items or ()), *(self.of(tuple(pair)) for pair in pairs or ()))


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


def _installed(module: str | None) -> bool:
    """Whether a module is no user's own: installed, built in, or ours."""
    if module is None or module in ("__main__", "__mp_main__"):
        return False
    if module.partition(".")[0] == "slurm":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return module in sys.builtin_module_names or module in sys.modules
    return shipping.is_usual(os.path.dirname(os.path.abspath(file)))


def joined(parts: Iterable[bytes]) -> bytes:
    """One fingerprint of several."""
    return _hash("several", *parts)
