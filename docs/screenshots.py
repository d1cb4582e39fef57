"""The pictures of the web page in docs/web.md: a small cluster with jobs of every kind, looked at with Chromium.

    .venv/bin/python docs/screenshots.py

It needs Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.system.browser import Browser  # noqa: E402 - found once the repository is on the path
from tests.system.harness import Cluster  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1060, 700
EPOCHS = 'for epoch in $(seq 60); do echo "epoch $epoch: loss 0.$((900 - 11 * epoch))"; done; sleep 600'


def fill(cluster: Cluster) -> dict[str, str]:
    """Jobs that run, wait, failed; their ids by name."""
    jobs = {}
    for number in (1, 2, 3):
        jobs[f"train-{number}"] = cluster.sbatch(
            "-J", f"train-{number}", "-c", "6", "--gpus=1", "-t", "30", "--comment=rate 3e-4", "--wrap", EPOCHS)
    jobs["evaluate"] = cluster.sbatch("-J", "evaluate", "-t", "20", "-d", f"afterok:{jobs['train-1']}:{jobs['train-2']}", "--wrap", "true")
    jobs["report"] = cluster.sbatch("-J", "report", "-t", "5", "-d", f"afterany:{jobs['evaluate']}", "--wrap", "true")
    jobs["sweep"] = cluster.sbatch("-J", "sweep", "-a", "0-99%8", "-c", "4", "-t", "15", "--wrap", "sleep 300")
    jobs["simulate"] = cluster.sbatch("-J", "simulate", "-N", "6", "-c", "16", "-t", "20", "--wrap", "sleep 600")
    broken = cluster.sbatch("-J", "broken", "--wrap", "cat nothing-there.csv")
    cluster.until_ended(broken)
    cluster.ok("scontrol", "update", "nodename=cn08", "state=drain", "reason=fan makes noise")
    cluster.ok(
        "scontrol", "create", "reservation", "ReservationName=course", "StartTime=now+1hour", "Duration=180", "Users=root",
        "Nodes=cn[01-02]")
    cluster.until_state(jobs["train-3"], "RUNNING")
    return jobs


def main() -> int:
    """Write the pictures; exit status."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "c", "--nodes", "8", "--cpus", "16", "--memory", "64G", "--gpus", "h100:2")
        try:
            cluster.up()
            jobs = fill(cluster)
            browser = Browser(cluster, Path(folder) / "chromium")
            try:
                pages = {
                    "overview": "/", "queue": "/queue", "job": f"/job/{jobs['train-1']}", "waiting": f"/job/{jobs['evaluate']}",
                    "nodes": "/nodes", "submit": f"/submit?like={jobs['train-1']}",
                    "reservations": "/reservations", "plan": "/plan", "history": "/history",
                    "accounts": "/accounts", "diagnostics": "/diagnostics"}
                for name, place in pages.items():
                    picture(browser, place, f"web-{name}.png")
                picture(browser, "/", "web-telephone.png", width=360, height=720, dark=True)
            finally:
                browser.close()
        finally:
            cluster.close()
    return 0


def picture(browser: Browser, place: str, name: str, *, width: int = WIDTH, height: int = HEIGHT, dark: bool = False) -> None:
    """The top of a page, when all of it is there."""
    browser.size(width, height, dark=dark)
    browser.go(place)
    browser.until(lambda: "Loading" not in browser.text(), "something was not loaded")
    browser.driver.save_screenshot(str(IMAGES / name))


if __name__ == "__main__":
    sys.exit(main())
