"""One plug-in as a command calls it: its process lives for a few calls, and the command waits, for a deadline."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from slurm.plugins import frames
from slurm.plugins.failures import PluginFailed, value_of
from slurm.plugins.sources import Source

_END_SECONDS = 8.0


class BlockingPlugin:
    """The process of the plug-in `source` while inside; what it prints goes to standard error. PluginFailed when it cannot be loaded."""

    def __init__(self, source: Source, settings: Mapping[str, object], *, seconds: float) -> None:
        self._source = source
        self._settings = dict(settings)
        self._seconds = seconds

    def __enter__(self) -> BlockingPlugin:
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(self._seconds)
        reading, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "slurm.plugins.supervisor", str(theirs.fileno()), str(reading), "0"], stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(), pass_fds=(theirs.fileno(), reading), start_new_session=True)
        finally:
            theirs.close()
            os.close(reading)
        try:
            self._asked({"source": self._source.told(), "settings": self._settings, "progress": ""})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def call(self, function: str, argument: object, *, kind: str = "") -> Any:
        """What a function of it returns, `failures.ABSENT` when it has none of that name; PluginRefused, PluginFailed."""
        return self._asked({"function": function, "argument": argument, "kind": kind, "journal": "", "number": 0})

    def _asked(self, request: object) -> Any:
        name = self._source.name
        try:
            frames.send(self._channel, request)
            answer = frames.receive(self._channel)
        except TimeoutError:
            raise PluginFailed(f"{name}: it has not answered within {self._seconds:g} s and was ended") from None
        except frames.Broken as error:
            why = "it ended without an answer" if str(error) == frames.GONE else str(error)
            raise PluginFailed(f"{name}: {why}") from error
        except OSError as error:
            raise PluginFailed(f"{name}: it ended without an answer") from error
        return value_of(name, answer)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._channel.close()
        os.close(self._lifeline)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
