"""MPI programs in C and what compiles them with Debian's MPICH, Open MPI and libpmi2."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

COMPILERS = {"mpich": "mpicc.mpich", "openmpi": "mpicc.openmpi", "pmi2": "gcc"}
HERE = Path(__file__).parent


def missing() -> str:
    """What is not installed of what these programs need, "" when all is."""
    absent = [name for name in (*COMPILERS.values(), "mpiexec.hydra", "mpirun.openmpi") if shutil.which(name) is None]
    return ", ".join([*absent, *([] if os.path.exists("/usr/include/slurm/pmi2.h") else ["libpmi2-0-dev"])])


def compiled(name: str, kind: str, folder: Path) -> str:
    """Compile NAME.c for mpich, openmpi or pmi2 into `folder`; what to call there."""
    program = f"{name}.{kind}"
    words = [COMPILERS[kind], "-O1", "-o", str(folder / program), str(HERE / f"{name}.c"), *(["-lpmi2"] if kind == "pmi2" else [])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return f"./{program}"
