"""plugstack.conf for sbatch, srun and salloc: the options that the site's Python plug-ins add, and what keeps a job from being submitted.

A plug-in in C that the site requires does, for a job would run without what the site wants to happen to it; an optional one is a warning.
So does a required one in Python that cannot be used.
"""

from __future__ import annotations

from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.net import discovery
from slurm.options import tables
from slurm.options.option import Option
from slurm.options.resolve import Resolved
from slurm.plugins import plugstack
from slurm.plugins.plugstack import Line, StepPlugin


class Stack:
    """What plugstack.conf says to one command."""

    def __init__(self, lines: list[Line], plugins: list[tuple[Line, StepPlugin]]) -> None:
        self._lines = lines
        self._plugins = plugins

    def check(self, shell: Shell, *, quiet: bool) -> None:
        """SlurmError when the site requires what cannot be called; what is optional is a warning."""
        for line in self._lines:
            if line.is_python or line.is_pyxis:
                continue
            if line.required:
                required = f"{line.where}: the SPANK plug-in {line.file} is required, and SPANK plug-ins are not loaded"
                raise SlurmError("SLURM_ERROR", required,
                    hints=["who runs this site may make it optional there, or write one in Python: docs/how-to/plug-ins.md"])
            if not quiet:
                shell.say(f"warning: {line.where}: the SPANK plug-in {line.file} is not loaded: SPANK plug-ins are not")
        for line, plugin in self._plugins:
            if plugin.broken and line.required:
                raise SlurmError("SLURM_ERROR", f"{plugin.broken}", hints=[f"{line.where} requires this plug-in: tell who runs this site"])
            if plugin.broken and not quiet:
                shell.say(f"warning: {plugin.broken}: the plug-in is not called")

    def variables(self, resolved: Resolved) -> dict[str, str]:
        """The options of plug-ins that were given, as they reach the node."""
        found: dict[str, str] = {}
        for _, plugin in self._plugins:
            for option in plugin.options:
                value = resolved.settings.get(option.name.replace("-", "_"))
                if value is not None:
                    found[plugin.variable(option.name)] = "" if value is True else str(value)
        return found


def load(shell: Shell) -> Stack:
    """Read it, where the site has one, and have its options known to this command. SlurmError when it cannot be read."""
    tables.add(())
    try:
        site = discovery.find_site(shell.environ)
    except SlurmError:
        return Stack([], [])  # whoever submits is told why
    lines = plugstack.read(plugstack.path_of(site.rules.get("plugstackconfig", ""), site.conf))
    plugins: list[tuple[Line, StepPlugin]] = []
    if any(line.is_python for line in lines):
        from slurm.plugins.sources import folders_of

        plugins = [(line, plugstack.described(line, folders_of(site.plugin_dir), None)) for line in lines if line.is_python]
        tables.add(_rows(plugins))
    return Stack(lines, plugins)


def _rows(plugins: list[tuple[Line, StepPlugin]]) -> list[Option]:
    known = {option.name for command in ("sbatch", "srun", "salloc") for option in tables.rows(command)}
    rows: list[Option] = []
    for line, plugin in plugins:
        for option in plugin.options:
            if option.name in known:
                raise SlurmError("SLURM_ERROR", f"{line.where}: {plugin.file} adds --{option.name}, which is there already",
                    hints=["who runs this site may give it another name"])
            known.add(option.name)
            kind = "text" if option.metavar else "flag"
            rows.append(Option(option.name, "", kind, metavar=option.metavar, optional="" if option.optional else None, help=option.help))
    return rows
