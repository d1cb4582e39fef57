"""Tasks that run in containers: this module is imported there, where nothing is but Python."""

from __future__ import annotations

import os
import time
from pathlib import Path

from slurm import WorkflowContext, task, workflow

SECONDS = 90.0


@task(packaging="container:localhost/tiny:1", mem="300M")
def inside(number: int) -> tuple[int, str, str, int]:
    print("said inside")
    return number, os.environ["GREETING"], os.environ.get("COLOUR", ""), int(os.environ["SLURM_PROCID"])


@task(mem="300M")
def greeting() -> str:
    return os.environ.get("GREETING", "none")


@task(packaging="container:localhost/tiny:1", mem="300M")
def sleeps(mark: str) -> None:
    Path(mark).touch()
    time.sleep(300)


@workflow(packaging="container:localhost/tiny:1", mem="300M")
def within(ctx: WorkflowContext) -> tuple[str, str]:
    return os.environ["GREETING"], greeting().result(SECONDS)
