"""plugstack.conf: which SPANK plug-ins sbatch, srun and salloc would load in Slurm. They are libraries in C for Slurm's own daemons: none
is loaded here.

Pyxis' is ours (`net.container_options`). Another one that the site requires keeps a job from being submitted, for it would run without what
the site wants to happen to it; an optional one is a warning.
"""

from __future__ import annotations

import os

from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.net import discovery

_OURS = frozenset(("spank_pyxis.so", "pyxis.so"))
_MOST_INCLUDES = 20
_KINDS = ("required", "optional", "include")


def check(shell: Shell, *, quiet: bool) -> None:
    """Read it, where the site has one. SlurmError when it requires what is not here, or cannot be read."""
    try:
        site = discovery.find_site(shell.environ)
    except SlurmError:
        return  # whoever submits is told why
    path = site.rules.get("plugstackconfig", "") or os.path.join(os.path.dirname(site.conf), "plugstack.conf")
    if not os.path.exists(path):
        return
    for where, kind, library in _lines(path, [0]):
        if os.path.basename(library) in _OURS:
            continue
        if kind == "required":
            raise SlurmError("SLURM_ERROR", f"{where}: the SPANK plug-in {library} is required, and SPANK plug-ins are not loaded",
                hints=["who runs this site may make it optional there, or write a CliFilterPlugins or JobSubmitPlugins in Python"])
        if not quiet:
            shell.say(f"warning: {where}: the SPANK plug-in {library} is not loaded: SPANK plug-ins are not")


def _lines(path: str, depth: list[int]) -> list[tuple[str, str, str]]:
    """(where it stands, required or optional, its file) of each plug-in, also of files that are included."""
    import glob  # few sites have one
    import shlex

    found: list[tuple[str, str, str]] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise SlurmError("SLURM_ERROR", f"{path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        where = f"{path}: line {number}"
        if len(words) < 2 or words[0] not in _KINDS:
            raise SlurmError("SLURM_ERROR", f"{where}: {line.strip()}: no such line",
                hints=["valid: required|optional FILE [ARGUMENT …], include FILES"])
        if words[0] != "include":
            found.append((where, words[0], words[1]))
            continue
        for name in sorted(glob.glob(os.path.join(os.path.dirname(path), words[1]))):
            depth[0] += 1
            if depth[0] > _MOST_INCLUDES:
                raise SlurmError("SLURM_ERROR", f"{where}: more than {_MOST_INCLUDES} files are included")
            found += _lines(name, depth)
    return found
