"""JobSubmitPlugins: Python of the site that sees each submission and each change of a job before slurmctld looks at it, and may change or
refuse it.

Each plug-in is asked in turn, in its process (`plugins.process`); one that fails refuses: a rule of the site that cannot be asked is not
passed over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from slurm.config.config import Config
from slurm.core.events import Caller
from slurm.model import bounds
from slurm.model.errors import SlurmError
from slurm.model.request import JobRequest
from slurm.model.settings import Settings
from slurm.plugins import sources
from slurm.plugins.failures import ABSENT, PluginFailed, PluginRefused
from slurm.plugins.process import PluginProcess
from slurm.plugins.records import Modification, Submission
from slurm.plugins.sources import Source

log = logging.getLogger("slurmctld.plugins")
SECONDS = 10.0
"""A plug-in that takes longer for one submission is ended, and the submission refused."""


class SubmitPlugins:
    """The plug-ins that a configuration names, asked in its order. `owners` are the uids that their files may belong to."""

    def __init__(self, config: Config, owners: frozenset[int]) -> None:
        self._owners = owners
        self._processes: list[PluginProcess] = []
        self._named: list[Source] = []
        self._settings: dict[str, object] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Ask those of this configuration from now on; ConfigError, with nothing changed, when one is not there."""
        folders = sources.folders_of(config.text("PluginDir"))
        named = [sources.find("JobSubmitPlugins", "job_submit", name, folders, self._owners) for name in config.words("JobSubmitPlugins")]
        settings: dict[str, object] = {
            "ClusterName": config.cluster_name, "partitions": [each.name for each in config.partitions],
            "SchedulerParameters": config.text("SchedulerParameters")}
        if (named, settings) == (self._named, self._settings):
            return
        old, self._processes = self._processes, [PluginProcess(source, settings, seconds=SECONDS) for source in named]
        self._named, self._settings = named, settings
        for process in old:
            task = asyncio.get_running_loop().create_task(process.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def __bool__(self) -> bool:
        return bool(self._processes)

    async def submitted(self, request: JobRequest, script: str, caller: Caller, settings: Settings) -> JobRequest:
        """The request as the plug-ins want it; SlurmError when one refuses it, fails, or makes nonsense of it."""
        for process in self._processes:
            told = Submission(uid=caller.uid, user=caller.user, request=msgspec.to_builtins(request), script=script)
            changes = await self._asked(process, "job_submit", told)
            if changes:
                try:
                    request = msgspec.convert({**msgspec.to_builtins(request), **changes}, JobRequest)
                    bounds.check(request, settings)
                except (msgspec.ValidationError, SlurmError) as error:
                    why = "; ".join(error.lines()) if isinstance(error, SlurmError) else str(error)
                    raise _refusal(process.source, f"what it made of the request is none: {why}", log_it=True) from error
        return request

    async def modified(self, ids: str, changes: Mapping[str, str], caller: Caller) -> dict[str, str]:
        """The changes of `scontrol update` as the plug-ins want them."""
        wanted = dict(changes)
        for process in self._processes:
            found = await self._asked(process, "job_modify", Modification(uid=caller.uid, user=caller.user, jobs=ids, changes=wanted))
            if found is not None:
                if not all(isinstance(key, str) and isinstance(value, str) for key, value in found.items()):
                    raise _refusal(process.source, "what it made of the changes are none: names and values must be texts", log_it=True)
                wanted = found
        return wanted

    async def close(self) -> None:
        """End their processes."""
        for process in self._processes:
            await process.close()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _asked(self, process: PluginProcess, function: str, told: msgspec.Struct) -> dict[str, str] | None:
        try:
            found = await process.call(function, msgspec.to_builtins(told), kind=type(told).__name__)
        except PluginRefused as refused:
            raise _refusal(process.source, str(refused)) from refused
        except PluginFailed as failed:
            raise _refusal(process.source, f"it failed: {failed}", log_it=True) from failed
        if found is None or found is ABSENT:
            return None
        if not isinstance(found, dict):
            raise _refusal(process.source, f"{function} must return None or a dict of changes, not {type(found).__name__}", log_it=True)
        return found


def _refusal(source: Source, why: str, *, log_it: bool = False) -> SlurmError:
    if log_it:
        log.error("%s: %s", source.name, why)
        return SlurmError("SLURM_ERROR", hints=[f"plug-in {source.name} of this site is broken, tell who runs it: {why}"])
    return SlurmError("SLURM_ERROR", preface=why.splitlines(), hints=[f"a rule of this site, {source.name}, says so"])
