"""The published Python SDK (slurm-sdk on PyPI) as a contestant: the same program as ours, on a cluster of slurm-py's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.slurm_py import SlurmPy

PYTHON = os.environ.get("PUBLISHED_SDK_PYTHON") or f"{sys.prefix}/published/bin/python"
"""It has our import name, and so lives in an environment of its own, which `make clients` makes."""


def missing() -> str:
    """Why it cannot take part; "" when it can."""
    return "" if Path(PYTHON).exists() else f"{PYTHON} is not there: `make clients` installs the published SDK"


class PublishedSdk(SlurmPy):
    """Its programs find its interpreter first, and then our commands."""

    name = "slurm-sdk"
    python = PYTHON

    def __init__(self) -> None:
        super().__init__()
        self.environment.pop("PYTHONPATH", None)
        self.environment["PATH"] = os.pathsep.join((os.path.dirname(PYTHON), self.prefix, self.environment["PATH"]))

    def start(self) -> None:
        """slurm up; jobs stay known for long, since it asks about each when those before it are done, and has nothing but the queue to ask."""
        super().start()
        with open(f"{self.folder}/slurm/bench/slurm.conf", "a", encoding="utf-8") as conf:
            conf.write("MinJobAge=3600\n")
        self.call("scontrol", "reconfigure")
