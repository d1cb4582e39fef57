"""How an answer is to be written: as a table, JSON or YAML, and in which style ids and times; for squeue, sinfo and scontrol."""

from __future__ import annotations

from slurm.commands.shell import Message, Shell
from slurm.options.resolve import Resolved


def structure(resolved: Resolved) -> str:
    """ "json", "yaml" or "" for a table."""
    return next((style for style in ("json", "yaml") if resolved.settings.get(style) is not None), "")


def request_style(shell: Shell, resolved: Resolved) -> Message:
    """How ids, times and sizes are to be written, as requests carry it."""
    style: Message = {}
    length = shell.environ.get("SLURM_BITSTR_LEN", "")
    if length.isascii() and length.isdigit():
        style["array_length"] = int(length)
    if shell.environ.get("SLURM_TIME_FORMAT"):
        style["time_format"] = shell.environ["SLURM_TIME_FORMAT"]
    if resolved.flag("noconvert"):
        style["convert"] = False
    return style
