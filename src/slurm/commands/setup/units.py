"""systemd's units of the daemons, as text."""

from __future__ import annotations

from typing import NamedTuple

from slurm.commands.setup.wishes import Places


class Unit(NamedTuple):
    """What is special about a daemon's unit. `before`: what has to be there first; `user`: runs as SlurmUser from the beginning."""

    text: str
    after: str = "network-online.target"
    more: tuple[str, ...] = ()


UNITS = {
    "slurmctld": Unit("Slurm's controller", "network-online.target slurmdbd.service munge.service",
    ("LimitNOFILE=65536", "ProtectSystem=full")),
    "slurmdbd": Unit("Slurm's accounting", "network-online.target postgresql.service mariadb.service munge.service",
    ("ProtectSystem=full",)),
    # Jobs outlive a restart of slurmd, and it makes their groups itself.
    "slurmd": Unit("Slurm's node", "network-online.target munge.service", (
        "KillMode=process", "Delegate=yes", "TasksMax=infinity", "LimitNOFILE=131072", "LimitMEMLOCK=infinity", "LimitSTACK=infinity")),
    "sackd": Unit("Slurm's login node", "network-online.target", ("ProtectSystem=full",)),
}


def unit(daemon: str, program: str, places: Places) -> str:
    """The text of a daemon's unit; `program` is its file."""
    one = UNITS[daemon]
    lines = [
        "# Written by `slurm setup`.", "[Unit]", f"Description={one.text}", "Wants=network-online.target", f"After={one.after}",
        f"ConditionPathExists={places.etc}/slurm.conf", "", "[Service]", "Type=exec", f"Environment=SLURM_CONF={places.etc}/slurm.conf",
        f"ExecStart={program} -D", "ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure", "RestartSec=2", *one.more, "", "[Install]",
        "WantedBy=multi-user.target"]
    return "\n".join(lines) + "\n"
