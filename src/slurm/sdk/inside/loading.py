"""Finding a task's function inside its job, and the guard against modules that submit jobs when they are imported there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_importing = False


@contextmanager
def imports() -> Iterator[None]:
    """While this lasts, the modules of a task are imported; nothing may be submitted."""
    global _importing
    before, _importing = _importing, True
    try:
        yield
    finally:
        _importing = before


def going_on() -> bool:
    """Whether a job is importing the modules of its task right now."""
    return _importing


def function(target: Any) -> Any:
    """The plain function behind a target: (module, name), a task, or the function itself."""
    if isinstance(target, tuple):
        module, name = target
        target = import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
    return getattr(target, "unwrapped", target)


def named(word: str) -> tuple[str, str]:
    """(module, function) of module:function, file.py:function, or the bare name of a function that one file in this folder defines.

    LookupError when it leads nowhere.
    """
    place, colon, name = word.rpartition(":")
    if not name or (colon and not place):
        raise LookupError(f"{word!r} names no function: say MODULE:FUNCTION or FILE.py:FUNCTION")
    if not place:
        files = _defining(word)
        if len(files) != 1:
            listed = f"it is defined in {', '.join(files)}" if files else "no *.py here defines it"
            raise LookupError(f"which {word}? {listed}; say --task FILE.py:{word} or --task MODULE:{word}")
        place = files[0]
    if place.endswith(".py"):
        if not os.path.exists(place):
            raise LookupError(f"there is no file {place}")
        sys.path.insert(0, os.path.dirname(os.path.abspath(place)))
        place = os.path.basename(place).removesuffix(".py")
    elif "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return place, name


def by_hand(word: str) -> Any:
    """The function that `named` finds; LookupError where the module is not there or has none of that name."""
    module, name = named(word)
    try:
        loaded = import_module(module)
    except ModuleNotFoundError as error:
        if not error.name or not f"{module}.".startswith(f"{error.name}."):
            raise  # a module that this one imports
        raise LookupError(f"there is no module {error.name} in this folder or on PYTHONPATH") from error
    try:
        found = function((module, name))
    except AttributeError as error:
        from slurm.notation.nearest import nearest  # only for what is wrong

        meant = nearest(name, [one for one, value in vars(loaded).items() if callable(value)])
        raise LookupError(f"{module} has no function {name}" + (f"; did you mean {meant}?" if meant else "")) from error
    if not callable(found):
        raise LookupError(f"{module}:{name} is no function but {found!r}")
    return found


def _defining(name: str) -> list[str]:
    found = []
    for file_name in sorted(os.listdir(".")):
        if file_name.endswith(".py"):
            with open(file_name, encoding="utf-8", errors="replace") as file:
                if any(line.startswith((f"def {name}(", f"async def {name}(")) for line in file):
                    found.append(file_name)
    return found
