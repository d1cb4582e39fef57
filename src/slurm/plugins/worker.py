"""The worker: loads one plug-in and calls its functions, one call after another, as it is asked over a channel.

The first frame says what to load and with which settings; each further one names a function and its argument. What the plug-in prints goes
where standard error goes. A call with a number is remembered in the file `progress` once it went well: so whoever is started next knows how
far it came.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import entry_points
from types import ModuleType, SimpleNamespace
from typing import Any

from slurm.plugins import frames
from slurm.plugins.refused import Refused

GROUP = "slurm.plugins"
"""Entry points of this group are plug-ins."""
_SHOWN = 2000


class Progress:
    """The number of the last call that went well, kept in a file that one process has at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self.journal, self.number = "", 0

    def open(self) -> None:
        """Take the file; waits for a process before this one that has it still. OSError."""
        if not self._path:
            return
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            kept = json.loads(os.pread(self._descriptor, 4096, 0))
            self.journal, self.number = str(kept["journal"]), int(kept["number"])
        except (ValueError, KeyError, TypeError):
            pass  # a new file, or one that an end of the machine has cut: nothing is known

    def reached(self, journal: str, number: int) -> None:
        """This call went well."""
        if self._descriptor >= 0 and number:
            # One write of one length: a kill leaves the one before or this one.
            os.pwrite(self._descriptor, json.dumps({"journal": journal, "number": number}).ljust(127).encode() + b"\n", 0)


def serve(descriptor: int) -> int:
    """Answer until the channel ends; the exit status."""
    os.set_inheritable(descriptor, False)
    os.dup2(2, 1)
    with socket.socket(fileno=descriptor) as channel:
        try:
            begin = frames.receive(channel)
            progress = Progress(begin["progress"])
            progress.open()
            module = load(begin["source"])
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            frames.send(channel, {"failed": f"it cannot be loaded: {_told(error)}"})
            return 1
        settings = SimpleNamespace(**begin["settings"])
        frames.send(channel, {"value": [progress.journal, progress.number]})
        while True:
            try:
                request = frames.receive(channel)
            except (frames.Broken, OSError):
                return 0
            answer = call(module, request["function"], _argument(request), settings)
            if "value" in answer:
                progress.reached(request["journal"], request["number"])
            try:
                frames.send(channel, answer)
            except OSError:
                return 0


def load(source: dict[str, str]) -> ModuleType | Any:
    """The module of a file, of an entry point, or of ours. What it raises while it is loaded is raised."""
    if source["file"]:
        spec = importlib.util.spec_from_file_location(os.path.basename(source["file"]).removesuffix(".py"), source["file"])
        if spec is None or spec.loader is None:
            raise ImportError(f"{source['file']} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)
        return module
    if source["entry_point"]:
        return next(iter(entry_points(group=GROUP, name=source["entry_point"]))).load()
    return importlib.import_module(source["module"])


def call(module: Any, name: str, argument: Any, settings: SimpleNamespace) -> dict[str, Any]:
    """The answer of one function: its value, that it refused, or how it failed."""
    try:
        function: Callable[..., Any] | None = getattr(module, name, None)
        if function is None:
            return {"absent": True}
        value = function(argument, settings)
        json.dumps(value)  # what cannot be sent is the plug-in's fault
        return {"value": value}
    except Refused as refused:
        return {"refused": str(refused) or "the site refuses it"}
    except (Exception, SystemExit) as error:
        if not isinstance(error, OSError):
            traceback.print_exc()
        return {"failed": _told(error), "outside": isinstance(error, OSError)}


def _argument(request: dict[str, Any]) -> Any:
    kind = request["kind"]
    if not kind:
        return request["argument"]
    import msgspec

    from slurm.plugins import records
    return msgspec.convert(request["argument"], getattr(records, kind))


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_SHOWN]
