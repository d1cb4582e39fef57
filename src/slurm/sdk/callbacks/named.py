"""Callbacks that a Slurmfile names, as "module:Class" or as a table with `target`, `args` and `kwargs`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from slurm.sdk.callbacks.base import BaseCallback
from slurm.sdk.errors import SlurmfileInvalidError


def made(entries: object, where: str) -> list[BaseCallback]:
    """The callbacks that these entries stand for; SlurmfileInvalidError begins with `where` and says what is wrong."""
    if not isinstance(entries, list):
        raise SlurmfileInvalidError(f'{where}: callbacks is no list, such as callbacks = ["slurm.callbacks:LoggerCallback"]')
    return [_made(entry, f"{where}: callbacks[{number}]") for number, entry in enumerate(entries)]


def _made(entry: object, where: str) -> BaseCallback:
    table: dict[str, Any] = {"target": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
    target, args, kwargs = table.get("target"), table.get("args", []), table.get("kwargs", {})
    if not isinstance(target, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise SlurmfileInvalidError(f'{where} is {entry!r}, neither "module:Class" nor a table with a text `target`, a list `args` and a '
                                    'table `kwargs`')
    module, colon, name = target.partition(":")
    if not colon:
        module, _, name = target.rpartition(".")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        callback = found(*args, **kwargs) if callable(found) else found
    except Exception as error:
        # Importing and making it runs the user's code, which may raise anything.
        raise SlurmfileInvalidError(f"{where}: {target} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(callback, BaseCallback):
        raise SlurmfileInvalidError(f"{where}: {target} gives {callback!r}, which is no BaseCallback")
    return callback
