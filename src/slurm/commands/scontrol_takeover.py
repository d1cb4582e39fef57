"""scontrol takeover: have another slurmctld of slurm.conf lead, and wait until it does."""

from __future__ import annotations

import os
import time

from slurm.commands.scontrol_act import refused
from slurm.commands.shell import Channel, Message, Shell
from slurm.model.errors import SlurmError, Unreachable
from slurm.options.resolve import Resolved

WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.1


def takeover(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`takeover [INDEX]`: the slurmctld of this line SlurmctldHost (the first backup's is 1) is to lead."""
    from slurm.net.discovery import find_site

    try:
        site = find_site(shell.environ)
    except SlurmError as error:
        return refused(shell, error, "slurm_takeover error: ", "")
    text = words[0] if words else "1"
    index = int(text) if text.isdecimal() and len(text) < len("1000") else -1
    if not 0 <= index < len(site.hosts):
        shell.raw(f"takeover: invalid backup controller index ({max(0, index)})")
        shell.hints([f"{rank}: {host}" for rank, host in enumerate(site.hosts)])
        return 1
    wanted = site.hosts[index]
    request: Message = {"type": "Takeover", "index": index}
    try:
        channel = _own(site.standby, wanted) or shell.channel()
        try:
            channel.call(request)
        finally:
            channel.close()
    except SlurmError as error:
        return refused(shell, error, "slurm_takeover error: ", "")
    return _until_it_leads(shell, wanted)


def _own(path: str, wanted: str) -> Channel | None:
    """This machine's slurmctld that stands by, where that is the wanted one: it needs no leader that answers."""
    from slurm.net import client
    from slurm.net.endpoint import unix

    if not os.path.exists(path):
        return None
    try:
        channel = client.dial(unix(path))
        if channel.call({"type": "Ping"}).get("host") == wanted:
            return channel
        channel.close()
    except Unreachable:
        pass  # it has just begun to lead, or has ended: the leader knows
    return None


def _until_it_leads(shell: Shell, wanted: str) -> int:
    deadline = time.monotonic() + WAIT_SECONDS
    leads = ""
    while time.monotonic() < deadline:
        try:
            channel = shell.channel()
            try:
                leads = str(channel.call({"type": "Ping"}).get("host", ""))
            finally:
                channel.close()
        except Unreachable:
            leads = ""
        if leads == wanted:
            return 0
        time.sleep(_LOOK_SECONDS)
    shell.raw(f"slurm_takeover error: {wanted} does not lead after {WAIT_SECONDS:.0f} seconds")
    shell.hints([f"{leads} leads" if leads else "no slurmctld answers", "the logs of the slurmctlds have the reason"])
    return 1
