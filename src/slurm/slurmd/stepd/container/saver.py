"""`python -m slurm.slurmd.stepd.container.saver`: writes what a step's container has become into a squashfs file, as the step's owner.

Descriptors 3 and 4 as `builder` has them, 5 is the container's files.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from typing import Any

from slurm.slurmd.stepd import passing
from slurm.slurmd.stepd.container.builder import become
from slurm.slurmd.stepd.container.inside import FACTS, FILES, REPORT, SAVED


def main() -> int:
    """Do it; what cannot be is told."""
    report = socket.socket(fileno=REPORT)
    with open(FACTS, encoding="utf-8") as file:
        facts: dict[str, Any] = json.load(file)
    try:
        become(facts)
        os.fchdir(FILES)
        refused = save(".", str(facts["save"]))
    except OSError as error:
        refused = error.strerror or str(error)
    passing.send(report, json.dumps({"refused": refused}).encode()[:passing.LONGEST] if refused else SAVED)
    return bool(refused)


def save(files: str, target: str) -> str:
    """Write a folder into a squashfs file, which is there under its name once it is whole; why it cannot be, or ""."""
    if shutil.which("mksquashfs") is None:
        return "this node has no mksquashfs (package squashfs-tools)"
    made = f"{target}.{os.getpid()}"
    words = ["mksquashfs", files, made, "-all-root", "-noappend", "-no-progress", "-quiet"]
    done = subprocess.run(  # noqa: S603 - no shell reads it
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        if os.path.lexists(made):
            os.unlink(made)
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"mksquashfs ended with status {done.returncode}"
    os.replace(made, target)
    return ""


if __name__ == "__main__":
    sys.exit(main())
