"""sshare: asks slurmctld for the fair shares of associations. How they are laid out is in `sshare_report`."""

from __future__ import annotations

from slurm.commands import caller
from slurm.commands.shell import Message, Shell, informed, notes, run
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve


def main(shell: Shell | None = None) -> int:
    """Runs sshare and returns its exit status."""
    return run(shell or Shell.of_process("sshare"), _sshare, usage_code=1)


def _sshare(shell: Shell) -> int:
    resolved = resolve("sshare", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    if resolved.rest:
        raise OptionError(f"Unrecognized option: {resolved.rest[0]}", exit_code=1)
    notes(shell, resolved)
    names = resolved.text("clusters")
    if not names:
        return _shown(shell, resolved)
    from slurm.commands import clusters

    return clusters.each(shell, names, lambda there: _shown(there, resolved), heading=True)


def _shown(shell: Shell, resolved: Resolved) -> int:
    reply = {} if resolved.flag("helpformat") else _asked(shell, resolved)
    from slurm.commands import sshare_report

    return sshare_report.report(shell, resolved, reply)


def _asked(shell: Shell, resolved: Resolved) -> Message:
    users = [] if resolved.flag("all") else resolved.texts("users") or [caller.names()[0]]
    channel = shell.channel()
    try:
        return channel.call({"type": "ListShares", "users": users, "accounts": resolved.texts("accounts")})
    finally:
        channel.close()
