"""Which version this is, and which Slurm it behaves like."""

from __future__ import annotations

VERSION = "0.1.0"
"""Of slurm-py."""
SLURM_VERSION = "25.11.0"
"""The Slurm whose behaviour users and tools may expect; `sbatch --version` prints `slurm 25.11.0`."""


def version_line() -> str:
    """What --version prints: "slurm 25.11.0 (slurm-py 0.1.0)"; tools read the second word."""
    return f"slurm {SLURM_VERSION} (slurm-py {VERSION})"
