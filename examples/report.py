"""Reads the metrics of a sweep, takes the model that did best on the validation jobs, tries it on the test jobs, prints the table."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from job_times import error_factor, load
from network import Network

HERE = Path(__file__).resolve().parent
COLUMNS = ("task", "node", "gpu", "learning_rate", "batch_size", "optimizer", "seconds", "train_factor", "validation_factor")
HEADINGS = ("TASK", "NODE", "GPU", "LEARNING_RATE", "BATCH", "OPTIMIZER", "SECONDS", "TRAIN", "VALIDATION")

Metrics = dict[str, Any]


def collect(folder: Path) -> list[tuple[Path, Metrics]]:
    """Every finished run below a folder, the best on validation first."""
    found = [(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in folder.rglob("metrics.json")]
    return sorted(found, key=lambda run: (run[1]["validation_factor"], str(run[0])))


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if column.endswith("_factor") or column == "seconds":
        return f"{value:.2f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(runs: list[tuple[Path, Metrics]]) -> str:
    """One line a run, columns aligned."""
    rows = [HEADINGS, *(tuple(_cell(column, metrics.get(column)) for column in COLUMNS) for _, metrics in runs)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def verdict(folder: Path, dataset: Path) -> str:
    """How the model stored in a folder, the users' requests and the usual rule of thumb forecast the test jobs."""
    test = load(dataset).test
    network = Network.read(folder / "model.npz")
    lines = [f"{len(test.target)} later jobs that no run has seen; a forecast is off, typically, by a factor of"]
    for name, forecast in (
        ("what the users asked for", np.log10(test.requested)),
        ("mean of the user's last two jobs", np.log10(test.recent)),
        ("the best model of the sweep", network.forecast(test.features)),
    ):
        lines.append(f"  {name:<34} {error_factor(forecast, test.target):5.2f}")
    return "\n".join(lines)


def main() -> int:
    """Prints the report; status 1 when there is nothing to report."""
    parser = argparse.ArgumentParser(description="The table of a sweep, and its best model tried on the test jobs.")
    parser.add_argument("folder", type=Path, help="where the runs left their metrics.json, one folder each")
    parser.add_argument("--dataset", type=Path, default=HERE / "data" / "kth-sp2.csv.gz")
    parser.add_argument("--expect", type=int, help="fail unless there are this many finished runs")
    wish = parser.parse_args()
    runs = collect(wish.folder)
    if not runs:
        print(f"report: no metrics.json below {wish.folder}: run the sweep first", file=sys.stderr)
        return 1
    print(table(runs))
    folder, best = runs[0]
    print(
        f"\nBest of {len(runs)}: learning rate {best['learning_rate']:g}, batch size {best['batch_size']}, {best['optimizer']} ({folder})"
    )
    print(verdict(folder, wish.dataset))
    if wish.expect is not None and len(runs) != wish.expect:
        print(f"report: {len(runs)} finished runs below {wish.folder}, expected {wish.expect}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
