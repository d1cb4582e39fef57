"""`slurm.cli.app`: the command `slurm` as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from slurm.commands import slurm
from slurm.commands.published import main

__all__ = ["app", "main"]


def app(words: Sequence[str] | None = None) -> NoReturn:
    """Run `slurm` with these arguments, or with those of this program; SystemExit has its status."""
    raise SystemExit(slurm.main(words))
