"""The program slurmstepd. slurmd's zygote forks supervisors itself; started by hand it only says so, or which version it is."""

from __future__ import annotations

import sys

from slurm.model.version import VERSION


def main() -> int:
    """-V prints the version; anything else is refused."""
    if sys.argv[1:] in (["-V"], ["--version"]):
        print(f"slurm-py {VERSION}")
        return 0
    sys.stderr.write("slurmstepd: error: slurmstepd is started by slurmd, one for each step; start slurmd instead\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
