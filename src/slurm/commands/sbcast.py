"""sbcast: copies a file to every node of a job.

It travels as the input of a step that runs as the job's owner; each node checks what it got.
"""

from __future__ import annotations

import os
import stat

from slurm.commands import srun
from slurm.commands.shell import Shell, informed, notes, run
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

KEPT = ("SLURM_CONF", "SLURM_CLUSTER_NAME", "SLURMD_NODENAME", "SLURM_JWT", "SLURM_SACK_KEY", "SLURM_PY_INSTANCE")
"""Variables that say where the cluster is; those of a job's size and of srun's options are nothing to a copy."""
_CHUNK = 1 << 20
_RECEIVE = r"""
destination=$1 wanted=$2 mode=$3 moment=$4 force=$5 name=$6 began=$7
if [ -d "$destination" ]; then destination=${destination%/}/$name; fi
say() { echo "sbcast: error: ${SLURMD_NODENAME}: $destination: $1" >&2; exit 1; }
refuse() { echo "sbcast: error: REQUEST_FILE_BCAST($SLURMD_NODENAME): $1" >&2; exit $2; }
# What another node of this call has put there, in a folder that both see, is no file that was there before.
just_came() { [ -f "$destination" ] && [ -n "$(find "$destination" -newerct "@$began" 2>/dev/null)" ] && [ "$(sum "$destination")" = "$wanted" ]; }
sum() { set -- $(sha256sum <"$1"); echo "$1"; }
case $destination in */*) folder=${destination%/*}/ ;; *) folder=. ;; esac
[ -d "$folder" ] || refuse "No such file or directory" 2
[ "$force" = 1 ] || [ ! -e "$destination" ] || just_came || refuse "File exists" 17
part=$destination.$SLURM_JOB_ID.$SLURMD_NODENAME.$$
umask 077
cat >"$part" || { rm -f -- "$part"; say "it could not be written"; }
trap 'rm -f -- "$part"' EXIT
[ "$(sum "$part")" = "$wanted" ] || say "what came is not what was sent"
chmod "$mode" "$part" && { [ -z "$moment" ] || touch -d "@$moment" "$part"; } || say "its mode and times could not be set"
if [ "$force" = 1 ]; then mv -f -- "$part" "$destination" || say "it could not be replaced"
elif ! ln -- "$part" "$destination" 2>/dev/null; then
    just_came || refuse "File exists" 17
fi
"""


def main(shell: Shell | None = None) -> int:
    """Runs sbcast and returns its exit status."""
    return run(shell or Shell.of_process("sbcast"), _sbcast, usage_code=1)


def _sbcast(shell: Shell) -> int:
    resolved = resolve("sbcast", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    if len(resolved.rest) != 2:
        raise OptionError(f"Need two file names, have {len(resolved.rest)} names", exit_code=1)
    job = resolved.text("jobid").partition(".")[0]
    if not job:
        raise OptionError("Need a job id to run this command.  Run from within a Slurm job or use the --jobid option.", exit_code=1)
    return copy(shell, job, resolved.rest[0], resolved.rest[1], resolved)


def copy(shell: Shell, job: str, source: str, destination: str, resolved: Resolved | None = None) -> int:
    """Copy a file to the nodes of a job; an exit status."""
    try:
        wanted, facts = _looked_at(source)
    except OSError as error:
        shell.error(f"Can't open `{source}`: {error.strerror}")
        return 255
    force = resolved is None or resolved.flag("force")
    moment = str(int(facts.st_mtime)) if resolved is not None and resolved.flag("preserve") else ""
    mode = f"{stat.S_IMODE(facts.st_mode):o}"
    words = ["/bin/sh", "-c", _RECEIVE, "sbcast", destination, wanted, mode, moment, "1" if force else "0", os.path.basename(source),
             f"{shell.now():.6f}"]
    return step(shell, job, [*_only(resolved), "--ntasks-per-node=1", f"--input={os.path.abspath(source)}"], words)


def _only(resolved: Resolved | None) -> list[str]:
    """Where the step runs when not all nodes of the job are meant."""
    if resolved is None or not resolved.text("nodelist"):
        return []
    from slurm.notation import hostlist

    nodes = hostlist.expand(resolved.text("nodelist"))
    return [f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}"]


def step(shell: Shell, job: str, options: list[str], words: list[str]) -> int:
    """Run words as a step of a job beside all others, with nothing of what the caller's variables say to srun; its exit status."""
    environ = {name: value for name, value in shell.environ.items() if not name.startswith(("SLURM_", "SRUN_")) or name in KEPT}
    told = ["--jobid", job, "--overlap", "--mpi=none", "--prolog=none", "--epilog=none", f"--job-name={shell.name}", *options, *words]
    return srun.main(Shell("srun", told, environ, shell.stdin, shell.stdout, shell.stderr, connect=shell.connect, now=shell.now,
        sleep=shell.sleep))


def _looked_at(source: str) -> tuple[str, os.stat_result]:
    """The SHA-256 of a file in hexadecimal digits, and its facts. OSError."""
    import hashlib  # here: it is not frozen

    digest = hashlib.sha256()
    with open(source, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
        return digest.hexdigest(), os.fstat(file.fileno())
