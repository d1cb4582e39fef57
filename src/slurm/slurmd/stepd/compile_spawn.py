"""`python -m slurm.slurmd.stepd.compile_spawn`: compile spawn.c beside itself, which building the package does where there is a
compiler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARY = "_spawn.so"


def compiled(folder: Path) -> Path | None:
    """The library of the spawn.c in this folder, made when it is missing or older; None, with a line that says so, where it cannot be
    made."""
    source, library = folder / "spawn.c", folder / LIBRARY
    if library.exists() and library.stat().st_mtime >= source.stat().st_mtime:
        return library
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        print(f"no C compiler ({compiler[0]}): tasks will be started by forking")
        return None
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        made = Path(beside, LIBRARY)
        done = subprocess.run([*compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(made), str(source)], capture_output=True, text=True,
            check=False)
        if done.returncode:
            print(f"spawn.c cannot be compiled, tasks will be started by forking: {done.stderr}")
            return None
        made.replace(library)
    return library


if __name__ == "__main__":
    sys.exit(compiled(Path(__file__).parent) is None)
