"""What the published SDK's `slurm.cli` and `slurm.tui` have for programs, leading into our commands; which path leads here stands in
`slurm.doors`.

No command imports it.
"""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command `slurm` with the arguments of this program; SystemExit has its status."""
    from slurm.commands.slurm import main as run

    raise SystemExit(run())
