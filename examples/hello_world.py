"""The smallest program: one function, one job, its result.

    python -m slurm.examples.hello_world --name Ada
"""

import argparse
import os
import sys
from collections.abc import Sequence

from slurm import Cluster, task
from slurm.errors import SdkError


@task(time="00:01:00", mem="200M", cpus_per_task=1)
def greet(name: str) -> str:
    """Runs in the job; what it prints goes to the job's output, what it returns comes back."""
    node = os.environ.get("SLURMD_NODENAME", "this process")
    print(f"greeting {name} on {node}")
    return f"Hello, {name}! This is {node}."


def main(argv: Sequence[str] | None = None) -> int:
    """Submits one job and waits for it; exit status."""
    parser = argparse.ArgumentParser(description="Says hello from a job.")
    parser.add_argument("--name", default="world", help="whom to greet (world)")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    try:
        with Cluster.from_args(wish):
            job = greet(wish.name)
            print(f"submitted job {job.id}", flush=True)
            print("result:", job.result())
            print("output:", job.stdout().strip())
    except SdkError as error:
        print(f"hello_world: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
