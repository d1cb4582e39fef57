"""systemd's units of the daemons. The files in `systemd` are what packages install; set-up writes them for the places that it was given."""

from __future__ import annotations

from pathlib import Path

from slurm.commands.setup.wishes import Places

FOLDER = Path(__file__).parent / "systemd"


def unit(daemon: str, program: str, places: Places) -> str:
    """The text of a daemon's unit; `program` is its file."""
    text = (FOLDER / f"{daemon}.service").read_text(encoding="utf-8")
    text = text.replace(f"/usr/sbin/{daemon}", program).replace("/etc/slurm/", f"{places.etc}/")
    return "# Written by `slurm setup`.\n" + text.replace("[Service]\n", f"[Service]\nEnvironment=SLURM_CONF={places.etc}/slurm.conf\n", 1)
