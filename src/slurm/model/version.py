"""Which version this is, and which Slurm it behaves like."""

from __future__ import annotations

VERSION = "0.1.0"
"""Of slurm-py."""
SLURM_VERSION = "26.05.0"
"""The Slurm whose behaviour users and tools may expect; `sbatch --version` prints `slurm 26.05.0`."""

SLURM_RPC = 11520
"""The protocol version of that Slurm, which accounting shows of a cluster."""


def version_line() -> str:
    """What --version of every program prints: "slurm 26.05.0" alone, as its readers split it; `slurm --version` tells the product's own."""
    return f"slurm {SLURM_VERSION}"
