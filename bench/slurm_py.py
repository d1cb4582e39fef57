"""slurm-py as a contestant: an embedded cluster in a temporary folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

from bench.contestant import SlurmCommands


class SlurmPy(SlurmCommands):
    """The slurm-py of the interpreter that runs the bench."""

    name = "slurm-py"

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="bench-slurm-py-")
        environment = {**os.environ, "XDG_STATE_HOME": self.folder, "USER": os.environ.get("USER", "root")}
        environment.pop("SLURM_CONF", None)
        environment["SLURM_PY_INSTANCE"] = "bench"
        super().__init__(environment, self.folder, _programs())

    def start(self) -> None:
        """slurm up."""
        self.call("slurm", "up", "--nodes", "1", "--cpus", "64", "--memory", "64G")

    def stop(self) -> None:
        """slurm down, and nothing is left."""
        self.call("slurm", "down", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _programs() -> str:
    """The folder with our commands: this interpreter's, or where `slurm` is on PATH. Real Slurm has commands of the same names, but no `slurm`."""
    for folder in (os.path.dirname(sys.executable), os.path.dirname(shutil.which("slurm") or "")):
        if folder and os.path.exists(os.path.join(folder, "slurm")):
            return folder
    raise RuntimeError("slurm-py is not installed for this Python: pip install .")
