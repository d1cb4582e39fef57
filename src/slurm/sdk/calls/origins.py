"""Where code comes from: which modules are the user's own, what is in them, and which others they may use, also by an import that is
carried out late.

What counts of it in a fingerprint says `fingerprint`.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
import types
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name

from slurm.sdk.calls import shipping

_IMPORT = dis.opmap["IMPORT_NAME"]


def installed(module: str | None) -> bool:
    """Whether a module is no user's own: installed, built in, ours, or nowhere to be found."""
    if module is None or module in ("__main__", "__mp_main__"):
        return False
    if module.partition(".")[0] == "slurm":
        return True
    places = _places(module)
    if not places:
        return module in sys.builtin_module_names or module in sys.modules
    return all(map(shipping.is_usual, places))


def content(module: str) -> bytes:
    """The bytes of a module's file; none of a folder without one, and where they cannot be read."""
    file = _file(module)
    try:
        if file:
            with open(file, "rb") as opened:
                return opened.read()
    except OSError:
        pass  # in an archive, or gone since it was imported: its name counts
    return b""


def reached(module: str) -> set[str]:
    """The user's modules that this one may use, itself among them."""
    found, todo = {module}, [module]
    while todo:
        new = _used(todo.pop()) - found
        found |= new
        todo += new
    return found


def imported(code: types.CodeType, package: str) -> set[str]:
    """The user's modules that this code, or what is defined in it, imports when it runs; `package` is where relative imports begin."""
    return {name for name in _wished(code, package) if _is_users(name)}


def _used(module: str) -> set[str]:
    found: set[str] = set()
    loaded = sys.modules.get(module)
    if loaded is not None:
        values = list(vars(loaded).values())
        names = (one.__name__ if isinstance(one, types.ModuleType) else getattr(one, "__module__", None) for one in values)
        found = {name for name in names if isinstance(name, str) and name in sys.modules and not installed(name)}
    if _file(module).endswith(".py"):
        package = module if os.path.basename(_file(module)) == "__init__.py" else module.rpartition(".")[0]
        found |= set(filter(_is_users, _written(content(module), package)))
    return found - {"__main__", "__mp_main__"}


@functools.lru_cache(maxsize=256)
def _written(source: bytes, package: str) -> frozenset[str]:
    """The modules that this source imports, at whatever place."""
    try:
        return frozenset(_wished(compile(source, "<a module>", "exec", dont_inherit=True), package))
    except (SyntaxError, ValueError):
        return frozenset()  # it is being edited


def _wished(code: types.CodeType, package: str) -> Iterator[str]:
    if _IMPORT in code.co_code[::2]:
        steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
        for level, names, step in zip(steps, steps[1:], steps[2:], strict=False):
            if step.opcode == _IMPORT:
                yield from _meant(str(step.argval), level.argval, names.argval, package)
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            yield from _wished(inside, package)


def _meant(name: str, level: int, names: Iterable[str] | None, package: str) -> Iterator[str]:
    try:
        whole = resolve_name("." * level + name, package) if level else name
    except ImportError:
        return  # it will not work there either
    parts = whole.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    yield from (f"{whole}.{one}" for one in names or () if one != "*")


def _is_users(module: str) -> bool:
    return (module in sys.modules or bool(_places(module))) and module != "__main__" and not installed(module)


def _places(module: str) -> list[str]:
    """The folder of a module, or those of a package without a file."""
    file = _file(module)
    if file:
        return [os.path.dirname(os.path.abspath(file))]
    loaded = sys.modules.get(module)
    found = getattr(loaded, "__path__", None) if loaded is not None else getattr(_spec(module), "submodule_search_locations", None)
    return list(found or ())


def _file(module: str) -> str:
    """Where a module is, or would be, loaded from; "" where that is no file."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return str(getattr(loaded, "__file__", None) or "")
    spec = _spec(module)
    return spec.origin or "" if spec is not None and spec.has_location else ""


def _spec(module: str) -> ModuleSpec | None:
    """How a module that is not loaded would be found, without running anything of it."""
    parts, path, found = module.split("."), None, None
    for count in range(1, len(parts) + 1):
        found = PathFinder.find_spec(".".join(parts[:count]), path)
        if found is None:
            return None
        path = list(found.submodule_search_locations or ())
    return found
