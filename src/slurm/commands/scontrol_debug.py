"""scontrol's words for how much slurmctld logs: setdebug and setdebugflags."""

from __future__ import annotations

from slurm.commands.scontrol_act import refused, say_lines
from slurm.commands.shell import Message, Shell
from slurm.model.errors import MESSAGES, SlurmError
from slurm.options.resolve import Resolved


def set_level(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`setdebug LEVEL`: a name or number as SlurmctldDebug has it."""
    if len(words) != 1:
        return _miscounted(shell, "setdebug", words, "scontrol setdebug quiet|fatal|error|info|verbose|debug|debug2..debug5")
    return _ask(shell, {"level": words[0].lower()})


def set_flags(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`setdebugflags +FLAG|-FLAG…`."""
    if not words:
        return _miscounted(shell, "setdebugflags", words, "scontrol setdebugflags +Backfill -Steps")
    unsigned = next((word for word in words if word[:1] not in ("+", "-")), None)
    if unsigned is not None:
        shell.raw(f"invalid debug flag: {unsigned}")
        shell.raw("Usage: setdebugflags [+|-]NAME")
        shell.hints([f"+{unsigned} or -{unsigned}: what is to become of it"])
        return 1
    return _ask(shell, {"flags": words})


def set_scheduler_level(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`schedloglevel 0|1|disable|enable`: refused as Slurm refuses it where SlurmSchedLogFile is not set, for there is no such log here."""
    if len(words) != 1:
        return _miscounted(shell, "schedloglevel", words, "scontrol schedloglevel 0|1|disable|enable")
    if words[0].lower() not in ("0", "1", "disable", "enable"):
        shell.raw(f"invalid schedlog level: {words[0]}")
        shell.hints(["valid: 0, 1, disable, enable"])
        return 1
    shell.raw(f"slurm_set_schedlog_level error: {MESSAGES['ESLURM_DISABLED'][1]}")
    shell.hints(["the scheduler has no log of its own: scontrol setdebugflags +Backfill has slurmctld's tell of it, slurm explain JOBID "
                 "of one job"])
    return 1


def _miscounted(shell: Shell, word: str, words: list[str], right: str) -> int:
    shell.raw(f"too {'many' if words else 'few'} arguments for keyword:{word}")
    shell.hints([f"write {right}"])
    return 1


def _ask(shell: Shell, request: Message) -> int:
    channel = shell.channel()
    try:
        say_lines(shell, channel.call({"type": "SetDebug", **request}))
        return 0
    except SlurmError as error:
        return refused(shell, error, "", "")
    finally:
        channel.close()
