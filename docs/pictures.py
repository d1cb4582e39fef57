"""Draws the pictures of `slurm top` in docs/images/ anew, from a busy cluster that it starts for that: python docs/pictures.py"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from slurm.commands.top.app import TopApp
from slurm.commands.top.cluster_source import ClusterSource
from slurm.sdk.cluster import Cluster

FOLDER = Path(__file__).parent / "images"
SIZE = (100, 26)
SECONDS = 60.0
JOBS = (
    ("-J train-7b -N2 --ntasks-per-node=1 -c8 --gpus-per-node=2 --mem=48G -t 2-0", "for step in $(seq 1 9999); do echo step $step loss $((9999/step)).$((step%97)); sleep 1; done"),
    ("-J sweep-lr -a 0-39%4 -c2 --mem=4G -p gpu --gpus 1 -t 30", "sleep 3600"),
    ("-J tokenize -c6 --mem=16G -t 45", "sleep 3600"),
    ("-J tokenize -c6 --mem=16G -t 45", "sleep 3600"),
    ("-J evaluate -N2 --gpus-per-node=2 -t 20 -p gpu", "sleep 60"),
    ("-J whole-machine -N4 --exclusive -t 4:00:00", "sleep 60"),
    ("-J report -d afterok:1 -t 5", "true"),
    ("-J later --begin=now+6hours -t 5", "true"),
    ("-J to-check --hold -t 5", "true"),
)


def slurm(*words: str) -> str:
    """What a command of this clone printed."""
    code = f"import sys; from slurm.commands.{words[0]} import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *words[1:]], check=True, capture_output=True, text=True).stdout


async def drawn() -> None:
    """Show the cluster, and save what stands on the screen."""
    app = TopApp(ClusterSource(Cluster(start=False).backend, "lab", 1.0))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        async def until(what: Callable[[], bool]) -> None:
            deadline = time.monotonic() + SECONDS
            while not what():
                assert time.monotonic() < deadline, "the screen does not show what it should"
                await pilot.pause(0.1)

        await until(lambda: app.snapshot is not None and len(app.queue.shown) >= len(JOBS))
        await pilot.press("down", "down")
        save(app, "top.svg")
        await pilot.press("2")
        await pilot.pause()
        save(app, "top-nodes.svg")
        await pilot.press("1")
        at = next(number for number, job in enumerate(app.queue.shown) if job.name == "whole-machine")
        app.queue.action_move(at - app.queue.cursor)
        await pilot.press("enter")
        await until(lambda: getattr(app.screen, "record", None) is not None)
        await pilot.pause(0.3)
        save(app, "top-job.svg")


def save(app: TopApp, name: str) -> None:
    """The screen as a picture, with whatever fixed-width font the reader has."""
    svg = re.sub(r"@font-face \{[^}]*\}", "", app.export_screenshot(title="slurm top"))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_text("\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n")
    print(FOLDER / name)


def main() -> None:
    """A cluster of four nodes with jobs, the pictures, and no cluster again."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder, "SLURM_PY_INSTANCE": "lab", "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        os.environ.pop("SLURM_CONF", None)
        os.chdir(folder)
        slurm("slurm", "up", "--nodes", "4", "--cpus", "16", "--memory", "64G", "--gpus", "h100:2")
        try:
            slurm("scontrol", "update", "nodename=cn04", "state=drain", "reason=fan 3 is broken")
            for words, command in JOBS:
                slurm("sbatch", *words.split(), "--wrap", command)
            time.sleep(3.0)  # so that times are not all zero
            asyncio.run(drawn())
        finally:
            slurm("slurm", "down")


if __name__ == "__main__":
    main()
