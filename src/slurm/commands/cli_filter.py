"""CliFilterPlugins: Python of the site that sees what sbatch, srun and salloc are about to ask for, in the command's own process group, and
may change or refuse it.

Nothing of a plug-in's machinery is loaded where no filter is configured. A filter is a help and no rule: whoever speaks to slurmctld
without these commands does not meet it; rules belong into JobSubmitPlugins.
"""

from __future__ import annotations

from collections.abc import Sequence

from slurm.commands.shell import Message, Shell
from slurm.model.errors import SlurmError
from slurm.net import discovery

SECONDS = 10.0
"""A filter that takes longer is ended, and the command with it."""


def pre_submit(shell: Shell, request: Message, script: str = "") -> Message:
    """The request as the filters want it; SlurmError when one refuses it, fails or is not there."""
    names = _configured(shell)
    return _changed(shell, names, request, script) if names else request


def post_submit(shell: Shell, request: Message, job: int) -> None:
    """Tell the filters the id; what goes wrong there is a warning, for the job is submitted."""
    names = _configured(shell)
    if not names:
        return
    from slurm.plugins.failures import PluginFailed, PluginRefused

    try:
        _call(shell, names, "post_submit", {"command": shell.name, "request": request, "script": "", "job_id": job})
    except (PluginFailed, PluginRefused, SlurmError) as error:
        shell.say(f"warning: {error}")


def _configured(shell: Shell) -> tuple[str, ...]:
    try:
        return discovery.find_site(shell.environ).cli_filters
    except SlurmError:
        return ()  # whoever submits is told why


def _changed(shell: Shell, names: Sequence[str], request: Message, script: str) -> Message:
    from slurm.plugins.failures import PluginFailed, PluginRefused

    try:
        return _call(shell, names, "pre_submit", {"command": shell.name, "request": request, "script": script, "job_id": 0})
    except PluginRefused as refused:
        raise SlurmError("SLURM_ERROR", str(refused), hints=["a filter of this site says so (CliFilterPlugins)"]) from refused
    except PluginFailed as failed:
        raise SlurmError("SLURM_ERROR", f"a filter of this site failed: {failed}",
            hints=["tell who runs it (CliFilterPlugins)"]) from failed


def _call(shell: Shell, names: Sequence[str], function: str, line: Message) -> Message:
    import os

    from slurm.plugins import sources
    from slurm.plugins.blocking import BlockingPlugin
    from slurm.plugins.failures import ABSENT, PluginFailed

    site = discovery.find_site(shell.environ)
    request = line["request"]
    assert isinstance(request, dict)
    settings = {"ClusterName": site.cluster, "CliFilterParameters": site.cli_filter_parameters}
    for name in names:
        source = sources.find("CliFilterPlugins", "cli_filter", name, sources.folders_of(site.plugin_dir), frozenset({0, os.geteuid()}))
        with BlockingPlugin(source, settings, seconds=SECONDS) as plugin:
            found = plugin.call(function, {**line, "request": request}, kind="CommandLine")
        if function == "pre_submit" and found is not None and found is not ABSENT:
            if not isinstance(found, dict):
                raise PluginFailed(f"{source.name}: {function} must return None or a dict of changes, not {type(found).__name__}")
            request = {**request, **found}
    return request
