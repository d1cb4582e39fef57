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

_PACK = """[ "$3" = 1 ] && [ ! -e "$1" ] && exit 0
[ "$4" = 1 ] || [ ! -d "$1" ] || { echo "sgather: error: $1 is a folder: --recursive gathers it" >&2; exit 1; }
tar -C "$(dirname -- "$1")" -cf - -- "$(basename -- "$1")" && { [ "$2" = 1 ] || rm -rf -- "$1"; }"""
"""As an archive: a folder, or a file with its mode and times."""


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
    packed = resolved.flag("recursive") or resolved.flag("preserve")
    flags = ["1" if resolved.flag(name) else "0" for name in ("keep", "force", "recursive")]
    for node in hostlist.expand(nodes):
        target = f"{destination}.{node}"
        received = f"{target}.tar" if packed else target
        status = step(
            shell, job, ["-N1", "-n1", "-w", node, "--input=none", f"--output={received.replace('%', '%%')}", "--error=all"],
            ["/bin/sh", "-c", _PACK if packed else _SEND, "sgather", source, *flags])
        if os.path.exists(received) and not os.path.getsize(received) and (status or resolved.flag("force")):
            os.unlink(received)
        elif packed and os.path.exists(received):
            status = max(status, _unpack(shell, received, target, as_it_was=resolved.flag("preserve")))
        worst = max(worst, status)
    return worst


def _unpack(shell: Shell, received: str, target: str, *, as_it_was: bool) -> int:
    """Make of a node's archive the file or folder `target`; nothing in it leads out of that.

    `as_it_was`: with modes and times, else as if made now.
    """
    import shutil  # here: hardly a call needs these
    import tarfile
    import time

    mask = os.umask(0o077)
    os.umask(mask)

    def as_new(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        found = tarfile.data_filter(member, folder)
        widest = 0o777 if member.isdir() or member.mode & 0o100 else 0o666
        return None if found is None else found.replace(mtime=time.time(), mode=widest & ~mask)

    fresh = f"{received}.d"
    try:
        os.mkdir(fresh, 0o700)
        with tarfile.open(received) as archive:
            archive.extractall(fresh, filter="data" if as_it_was else as_new)
        for name in os.listdir(fresh):
            if os.path.isdir(target) and not os.path.islink(target):
                shutil.rmtree(target)
            os.rename(os.path.join(fresh, name), target)
    except (OSError, tarfile.TarError) as error:
        shell.error(f"{target}: {getattr(error, 'strerror', None) or error}")
        return 1
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.unlink(received)
    return 0
