"""Trains one model on all tasks of a step: each task takes its share of every batch, gradients are averaged over sockets."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from gather import Group
from job_times import error_factor, load
from network import MODELS, Network, Optimizer, batches

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Trains for the epochs asked for; rank 0 writes model.npz and metrics.json."""
    parser = argparse.ArgumentParser(description="Data-parallel training over the tasks of a step.")
    parser.add_argument("--dataset", type=Path, default=HERE / "data" / "kth-sp2.csv.gz")
    parser.add_argument("--model", choices=sorted(MODELS), default="mlp")
    parser.add_argument("--batch-size", type=int, default=32, help="rows a task and step")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output-dir", type=Path, required=True)
    wish = parser.parse_args()

    began = time.monotonic()
    group = Group.meet()
    data = load(wish.dataset)
    # The same seed everywhere: all tasks shuffle alike and start from the same weights.
    rng = np.random.default_rng(1)
    network = Network.fresh(data.train.features, MODELS[wish.model], rng)
    optimizer = Optimizer("adam", wish.learning_rate)
    for epoch in range(1, wish.epochs + 1):
        for rows in batches(len(data.train.target), wish.batch_size * group.size, rng):
            mine = rows[group.rank :: group.size]
            if len(rows) < group.size:
                continue
            slopes = network.gradient(data.train.features[mine], data.train.target[mine])
            flat = group.mean(np.concatenate([slopes[name].ravel() for name in network.trained]))
            for name in network.trained:
                slopes[name], flat = flat[: slopes[name].size].reshape(slopes[name].shape), flat[slopes[name].size :]
            optimizer.apply(network, slopes)
        if group.rank == 0:
            factor = error_factor(network.forecast(data.validation.features), data.validation.target)
            print(f"epoch {epoch}/{wish.epochs} on {group.size} tasks: forecasts are off by a factor of {factor:.2f}", flush=True)
    group.leave()
    if group.rank == 0:
        wish.output_dir.mkdir(parents=True, exist_ok=True)
        network.write(wish.output_dir / "model.npz")
        metrics = {"tasks": group.size, "validation_factor": factor, "seconds": round(time.monotonic() - began, 2)}
        (wish.output_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
