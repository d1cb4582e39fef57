"""Lookback: questions about the past, each answered by a process of its own that folds the history up to that moment.

Not a fork of the controller: SQLite may not be carried over one. The process writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any

import msgspec

from slurm.config.config import Config
from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.core.events import Caller
from slurm.model.errors import ConfigError, InvalidRequest, NotationError, SlurmError
from slurm.notation import duration, moment, size
from slurm.slurmctld.beside import Places
from slurm.store.history import History
from slurm.store.state import history_source
from slurm.wire import messages as m
from slurm.wire.history_messages import ReadHistory

log = logging.getLogger("slurmctld.lookback")
SECONDS = 120.0
"""So long an answer may take."""
KEPT_SECONDS = 7 * 86400
KEPT_MB = 1024
"""What is kept where the configuration says nothing."""
_encode = msgspec.json.encode


class Question(msgspec.Struct, tag_field="kind"):
    """What the process is asked on its standard input. `all_seeing`: who asks is an operator today.

    What he may see is said by the present: its PrivateData, and no right that he had then.
    """

    journal: str
    history_seconds: float
    caller: Caller
    all_seeing: bool
    private_data: list[str]
    message: m.ListJobs | m.ExplainJob | ReadHistory
    state: str = ""


class Lookback:
    """Answers about the past out of `history`."""

    def __init__(self, history: History, seconds: float, state: str = "") -> None:
        self.history = history
        self._seconds = seconds
        self._state = state
        self._places = Places()

    async def ask(self, cluster: Cluster, caller: Caller, message: Any, now: float, *, first: bool) -> bytes:
        """The reply as JSON; InvalidRequest for a moment that has not been. `first`: who need not wait for others' questions."""
        at = getattr(message, "at", now)
        if at > now:
            raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=[f"{moment.show(at)} has not been yet: --at asks about the past"])
        question = Question(
            journal=self.history.path, history_seconds=self._seconds, caller=caller, all_seeing=rights.is_operator(cluster, caller),
            private_data=list(cluster.settings.private_data), message=message, state=self._state)
        async with self._places.place(caller.uid, first=first):
            return await _answered(_encode(question))


async def _answered(question: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "slurm.slurmctld.looking_back", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True, cwd="/")
    try:
        answer, said = await asyncio.wait_for(process.communicate(question), SECONDS)
    except TimeoutError:
        raise SlurmError(message="the past was not found in time", hints=[f"folding it took more than {SECONDS:.0f} s"]) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not answer:
        log.error("looking back failed (%d): %s", process.returncode, said.decode(errors="replace")[-4000:])
        raise SlurmError(message="looking back failed", hints=["the controller's log has the details"])
    return answer


def of(config: Config, journal: str) -> Lookback | None:
    """The lookback that SlurmctldParameters=history_time=,history_size= want; None for history_time=0. ConfigError."""
    given = config.options("SlurmctldParameters")
    try:
        seconds = duration.parse(given["history_time"]) if "history_time" in given else KEPT_SECONDS
        most = size.parse_mb(given["history_size"]) if "history_size" in given else KEPT_MB
    except NotationError as error:
        raise ConfigError(message=f"{config.path}: SlurmctldParameters: {error.message}", hints=[
            "history_time=7-0 keeps what happened for seven days (0: not at all), history_size=1G bounds what it takes of the "
            "disk"]) from error
    if not seconds:
        return None
    if seconds < 0:
        seconds = sys.maxsize >> 32
    state = config.text("StateSaveLocation")
    return Lookback(History(os.path.abspath(journal), seconds=seconds, most=most << 20, source=history_source(state)), seconds, state)
