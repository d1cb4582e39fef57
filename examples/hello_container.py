"""A job in a container: the function is yours, the system around it is the image's.

    python -m slurm.examples.hello_container --image python:3.12-slim

The node needs Pyxis, apptainer, podman or docker; the image needs a Python of this program's version, and nothing else.
"""

import argparse
import platform
import sys
from collections.abc import Sequence

from slurm import Cluster, JobFailed, task
from slurm.errors import SdkError

OWN_VERSION = ".".join(map(str, sys.version_info[:2]))


@task(time="00:10:00", mem="500M")
def where() -> tuple[str, str]:
    """Runs in the container: what the system calls itself, and its Python."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = "a system that does not say its name"
    return system, platform.python_version()


def main(argv: Sequence[str] | None = None) -> int:
    """Asks here and in a container where it is; exit status."""
    parser = argparse.ArgumentParser(description="Says in which system a container's job runs.")
    parser.add_argument("--image", default=f"python:{OWN_VERSION}-slim", help="such as python:3.12-slim, or for apptainer a .sif file (%(default)s)")
    parser.add_argument("--runtime", help="pyxis, apptainer, singularity, podman or docker (what the node has)")
    Cluster.add_argparse_args(parser)
    wish = parser.parse_args(argv)
    if wish.backend in ("inline", "subprocess"):
        parser.error(f"--backend {wish.backend} has no nodes that could run a container")
    runtime = {"packaging_runtime": wish.runtime} if wish.runtime else {}
    print(f"here:        {where.unwrapped()[0]}, Python {platform.python_version()}")
    try:
        with Cluster.from_args(wish):
            job = where.with_options(packaging=f"container:{wish.image}", **runtime)()
            print(f"job {job.id} runs in {wish.image}", flush=True)
            system, python = job.result()
            print(f"in the job:  {system}, Python {python}")
    except JobFailed as error:
        print(f"hello_container: the container did not run; is there a runtime on the node, and can it get the image?\n{error}", file=sys.stderr)
        return 1
    except SdkError as error:
        print(f"hello_container: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
