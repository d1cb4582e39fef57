"""sprio: asks slurmctld what the priorities of waiting jobs are made of. How that is laid out is in `sprio_report`."""

from __future__ import annotations

from slurm.commands.shell import Message, Shell, informed, notes, run
from slurm.model.errors import NotFound, SlurmError
from slurm.notation import jobref
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

_NO_JOBS: Message = {"cluster": "", "priority_type": "multifactor"}


def main(shell: Shell | None = None) -> int:
    """Runs sprio and returns its exit status."""
    return run(shell or Shell.of_process("sprio"), _sprio, usage_code=1)


def _sprio(shell: Shell) -> int:
    resolved = resolve("sprio", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    names = resolved.text("clusters") or resolved.text("cluster")
    if not names:
        return _shown(shell, resolved)
    from slurm.commands import clusters

    return clusters.each(shell, names, lambda there: _shown(there, resolved), heading=True)


def _shown(shell: Shell, resolved: Resolved) -> int:
    reply = {} if resolved.flag("helpformat") else _asked(shell, resolved)
    from slurm.commands import sprio_report

    return sprio_report.report(shell, resolved, reply)


def _asked(shell: Shell, resolved: Resolved) -> Message:
    request: Message = {"type": "ListPriorities", "jobs": _ids(resolved), "users": resolved.texts("user"),
        "partitions": resolved.texts("partition")}
    channel = shell.channel()
    try:
        return channel.call(request)
    except NotFound:
        return dict(_NO_JOBS)
    finally:
        channel.close()


def _ids(resolved: Resolved) -> list[str]:
    """The ids of --jobs, which may stand in the next word."""
    words = list(resolved.rest)
    text = resolved.settings.get("jobs")
    found = str(text) or (words.pop(0) if words else "") if text is not None else ""
    if words:
        raise OptionError(f"Unrecognized option: {words[0]}", exit_code=1)
    ids = []
    for one in (piece.strip() for piece in found.split(",") if piece.strip()):
        try:
            ids.append(jobref.parse(one).show())
        except SlurmError as error:
            raise OptionError(f"Invalid job id: {one}", exit_code=1, hints=[error.message]) from error
    return ids
