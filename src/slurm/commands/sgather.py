"""sgather: copies a file from every node of a job into files named after the nodes.

Each is the output of a step that runs as the job's owner.
"""

from __future__ import annotations

import os

from slurm.commands.sbcast import step
from slurm.commands.shell import Shell, informed, notes, run
from slurm.notation import hostlist
from slurm.options.errors import OptionError
from slurm.options.resolve import resolve

_SEND = '[ "$3" = 1 ] && [ ! -e "$1" ] && exit 0; cat -- "$1" && { [ "$2" = 1 ] || rm -f -- "$1"; }'


def main(shell: Shell | None = None) -> int:
    """Runs sgather and returns its exit status."""
    return run(shell or Shell.of_process("sgather"), _sgather, usage_code=1)


def _sgather(shell: Shell) -> int:
    resolved = resolve("sgather", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    if len(resolved.rest) != 2:
        raise OptionError(f"Need two file names, have {len(resolved.rest)} names", exit_code=1)
    job, nodes = shell.environ.get("SLURM_JOB_ID", ""), shell.environ.get("SLURM_JOB_NODELIST", "")
    if not job or not nodes:
        raise OptionError("Need a job to run this command: call it from within a Slurm job.", exit_code=1)
    source, destination = resolved.rest
    worst = 0
    for node in hostlist.expand(nodes):
        target = f"{destination}.{node}"
        status = step(
            shell, job, ["-N1", "-n1", "-w", node, "--input=none", f"--output={target.replace('%', '%%')}", "--error=all"],
            ["/bin/sh", "-c", _SEND, "sgather", source, "1" if resolved.flag("keep") else "0", "1" if resolved.flag("force") else "0"])
        if os.path.exists(target) and not os.path.getsize(target) and (status or resolved.flag("force")):
            os.unlink(target)
        worst = max(worst, status)
    return worst
