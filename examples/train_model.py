"""Trains one model on the job log and leaves metrics.json and model.npz in the output folder.

SIGUSR1 asks for a checkpoint: the epoch ends, checkpoint.npz is written and the program leaves with status 0;
the next run with the same output folder goes on from there.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from job_times import error_factor, load
from network import MODELS, OPTIMIZERS, Network, Optimizer, batches

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Learn how long batch jobs run from what is known at submission.")
    parser.add_argument("--dataset", type=Path, default=HERE / "data" / "kth-sp2.csv.gz")
    parser.add_argument("--model", choices=sorted(MODELS), default="mlp")
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--optimizer", choices=sorted(OPTIMIZERS), default="adam")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output-dir", type=Path, required=True)
    return parser.parse_args()


class Interrupted:
    """Whether a checkpoint was asked for; set by SIGUSR1, read between epochs."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGUSR1, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def main() -> int:
    """Trains for the epochs asked for; returns the exit status."""
    wish = arguments()
    interrupted = Interrupted()
    began = time.monotonic()
    wish.output_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = wish.output_dir / "checkpoint.npz"
    data = load(wish.dataset)
    rng = np.random.default_rng(wish.seed)
    network, done = Network.fresh(data.train.features, MODELS[wish.model], rng), 0
    if checkpoint.exists():
        stored = Network.read(checkpoint)
        done = int(stored.weights.pop("epochs")[0])
        network = stored
        print(f"going on from {checkpoint} after epoch {done}", flush=True)

    optimizer = Optimizer(wish.optimizer, wish.learning_rate)
    for epoch in range(done + 1, wish.epochs + 1):
        for rows in batches(len(data.train.target), wish.batch_size, rng):
            optimizer.apply(network, network.gradient(data.train.features[rows], data.train.target[rows]))
        factor = error_factor(network.forecast(data.validation.features), data.validation.target)
        print(f"epoch {epoch}/{wish.epochs}: forecasts are off by a factor of {factor:.2f}", flush=True)
        if interrupted.asked and epoch < wish.epochs:
            Network({**network.weights, "epochs": np.array([epoch])}).write(checkpoint)
            print(f"asked to stop: epoch {epoch} is in {checkpoint}", flush=True)
            return 0

    network.write(wish.output_dir / "model.npz")
    checkpoint.unlink(missing_ok=True)
    metrics = {
        "model": wish.model,
        "learning_rate": wish.learning_rate,
        "batch_size": wish.batch_size,
        "optimizer": wish.optimizer,
        "epochs": wish.epochs,
        "seed": wish.seed,
        "train_factor": error_factor(network.forecast(data.train.features), data.train.target),
        "validation_factor": error_factor(network.forecast(data.validation.features), data.validation.target),
        "seconds": round(time.monotonic() - began, 2),
        "job": os.environ.get("SLURM_JOB_ID"),
        "task": os.environ.get("SLURM_ARRAY_TASK_ID"),
        "node": os.environ.get("SLURMD_NODENAME"),
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    draft = wish.output_dir / "metrics.json.part"
    draft.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    draft.replace(wish.output_dir / "metrics.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
