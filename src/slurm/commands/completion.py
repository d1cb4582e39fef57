"""`slurm completion`: prints what makes a shell complete the commands, where they are installed outside of the places that shells look
at."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure

_LINES = {
    "bash": ("share/bash-completion/completions/slurm", ". {}"),
    "zsh": ("share/zsh/site-functions/_slurm_py", "fpath=({0} $fpath); autoload -Uz compinit; compinit"),
    "fish": ("share/fish/vendor_completions.d/slurm.fish", "set -p fish_complete_path {0}"),
}
"""Shell → the file that the wheel installed below the prefix, and the line; {} the file, {0} its folder."""
_STARTUP = {"bash": "~/.bashrc: eval \"$(slurm completion bash)\"", "zsh": "~/.zshrc: eval \"$(slurm completion zsh)\"",
    "fish": "~/.config/fish/config.fish: slurm completion fish | source"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm completion`."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("shell", choices=tuple(_LINES), metavar="bash|zsh|fish",
        help="for its startup file; " + ", ".join(_STARTUP.values()))


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Print the line."""
    name, line = _LINES[options.shell]
    path = os.path.join(sys.prefix, name)
    if not os.path.exists(path):
        console.failure(Failure("NotInstalled", f"there is no {path}", ["it comes with the wheel: pip install slurm-py"]))
        return 1
    place = shlex.quote(path if "{}" in line else os.path.dirname(path))
    text = line.replace("{}", place).replace("{0}", place)
    if options.json:
        console.answer({"shell": options.shell, "file": path, "line": text})
    else:
        console.out.write(text + "\n")
    return 0
