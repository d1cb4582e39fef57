"""`make bench`: the table of workloads and contestants. `--short` runs each workload in a size that only shows that it works."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import NamedTuple

from bench import hyperqueue, published_sdk, real_slurm
from bench.contestant import Contestant, median_of
from bench.slurm_py import SlurmPy, recording


class Workload(NamedTuple):
    """One line of the table: `method` of a contestant called with `size` (or `short`); `unit` of its figure; what ours must reach, and beside whom."""

    title: str
    method: str
    size: int
    short: int
    unit: str
    target: str
    peer: str = "real Slurm"


WORKLOADS = (
    Workload("array of `true`, jobs/s", "array_of_true", 1000, 20, "/s", "150, and twice real Slurm"),
    Workload("sbatch calls one after another", "one_after_another", 40, 3, "/s", "twice python3 -c pass"),
    Workload("squeue, empty queue", "empty_queue", 20, 2, "s", "twice python3 -c pass"),
    Workload("array of 100,000 tasks submitted", "big_array", 100_000, 100, "s", "0.3 s"),
    Workload("srun -n16 true", "srun", 7, 1, "s", "real Slurm's"),
    Workload("map of 1,000 empty Python tasks", "map", 1000, 5, "s", "a quarter of slurm-sdk's", "slurm-sdk"),
)


def xargs_rate(count: int) -> float:
    """`xargs -P2 bash -c true`: what this machine can start at all, processes a second."""
    began = time.monotonic()
    subprocess.run(["bash", "-c", f"seq {count} | xargs -P2 -n1 bash -c true"], check=True)
    return count / (time.monotonic() - began)


def python_start(count: int) -> float:
    """Seconds of `python3 -c pass` with the Python of ours, the median: no command of ours can be faster."""
    return median_of(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), count)


def python_told() -> str:
    """Which Python ours runs on, and whether it was built with what makes it a fifth faster."""
    words = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    how = "with optimizations" if "--enable-optimizations" in words else "without --enable-optimizations, and so about a fifth slower than it could be"
    return f"{platform.python_implementation()} {platform.python_version()} ({sys.executable}), built {how}"


def contest(make: Callable[[], Contestant], workloads: tuple[Workload, ...], short: bool) -> dict[str, float]:
    """All workloads that a contestant knows, by method name."""
    one = make()
    figures: dict[str, float] = {}
    one.start()
    try:
        for workload in workloads:
            run = getattr(one, workload.method, None)
            if run is not None:
                figures[workload.method] = run(workload.short if short else workload.size)
                print(f"  {one.name}: {workload.title}: {shown(figures[workload.method], workload.unit)}", file=sys.stderr, flush=True)
    finally:
        one.stop()
    return figures


def shown(figure: float | None, unit: str) -> str:
    """A figure with its unit."""
    if figure is None:
        return "-"
    return f"{figure:.0f} /s" if unit == "/s" else f"{figure:.3f} s"


def main() -> int:
    """Run the contests and print the table."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes, for correctness only")
    parser.add_argument("--only", default="", help="workload methods, comma-separated")
    parser.add_argument("--ours", action="store_true", help="slurm-py alone")
    options = parser.parse_args()
    only = set(options.only.split(",")) - {""}
    workloads = tuple(w for w in WORKLOADS if not only or w.method in only)
    columns: dict[str, dict[str, float]] = {"slurm-py": contest(SlurmPy, workloads, options.short)}
    peers: tuple[tuple[str, Callable[[], str], Callable[[], Contestant]], ...] = (
        ("real Slurm", real_slurm.missing, real_slurm.RealSlurm), ("HyperQueue", hyperqueue.missing, hyperqueue.HyperQueue),
        ("slurm-sdk", published_sdk.missing, published_sdk.PublishedSdk))
    for name, missing, make in peers if not options.ours else ():
        why = missing()
        if why:
            print(f"  {name}: {why}", file=sys.stderr)
        else:
            columns[name] = contest(make, tuple(w for w in workloads if (name == "slurm-sdk") == (w.method == "map")), options.short)
    print(f"\n{'workload':<36}" + "".join(f"{name:>14}" for name in columns) + f"{'ours/peer':>11}  must reach")
    for workload in workloads:
        ours, real = columns["slurm-py"].get(workload.method), columns.get(workload.peer, {}).get(workload.method)
        ratio = f"{ours / real:.2f}" if ours and real else "-"
        cells = "".join(f"{shown(column.get(workload.method), workload.unit):>14}" for column in columns.values())
        print(f"{workload.title:<36}{cells}{ratio:>11}  {workload.target}")
    print(f"{'python3 -c pass':<36}{python_start(5 if options.short else 50):>12.3f} s")
    print(f"{'xargs -P2 bash -c true':<36}{xargs_rate(50 if options.short else 1000):>11.0f} /s")
    if not only or "recording" in only:
        rates = recording(1 if options.short else 5, 20 if options.short else 1000)
        on, off = rates["recorded"], rates["unrecorded"]
        print(f"{'recording for accounting costs':<36}{100 * (1 - on.rate / off.rate):>11.0f} %    {on.rate:.0f} of {off.rate:.0f} jobs/s; must be below 10 %")
        print(f"{'  CPU of slurmctld a job':<36}{on.cpu['slurmctld']:>10.2f} ms    {off.cpu['slurmctld']:.2f} ms without, and {on.cpu['slurmdbd']:.2f} of slurmdbd")
    print(f"\nslurm-py ran on {python_told()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
