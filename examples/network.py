"""A small neural network in numpy, one hidden layer, and the four optimizers the sweep chooses from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from job_times import Floats

Weights = dict[str, Floats]
Step = Callable[[Floats, Floats, dict[str, Floats], int, float], Floats]

MODELS = {"linear": 0, "mlp": 32}
CLIP = 1.0
DECAY = 0.01


class Network:
    """Forecasts log10 of a run time from the features of a submission."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @classmethod
    def fresh(cls, features: Floats, hidden: int, rng: np.random.Generator) -> "Network":
        """A network with random weights that scales its inputs by the mean and deviation of the given features (jobs × features)."""
        width = features.shape[1]
        weights: Weights = {"mean": features.mean(axis=0), "scale": features.std(axis=0) + 1e-9}
        if hidden:
            weights["w1"] = rng.normal(0, width**-0.5, (width, hidden))
            weights["b1"] = np.zeros(hidden)
        weights["w2"] = rng.normal(0, (hidden or width) ** -0.5, hidden or width)
        weights["b2"] = np.zeros(1)
        return cls(weights)

    @classmethod
    def read(cls, path: Path) -> "Network":
        """The network that `write` left at this path."""
        with np.load(path) as stored:
            return cls({name: stored[name] for name in stored.files})

    def write(self, path: Path) -> None:
        """Stores all weights in one .npz file, complete or not at all."""
        draft = path.with_suffix(".part.npz")
        np.savez(draft, **self.weights)  # type: ignore[arg-type]
        draft.replace(path)

    @property
    def trained(self) -> list[str]:
        """Names of the weights that training changes."""
        return [name for name in self.weights if name not in ("mean", "scale")]

    def forecast(self, features: Floats) -> Floats:
        """log10 of the run time in seconds, one a job."""
        return self._forward((features - self.weights["mean"]) / self.weights["scale"])[1]

    def gradient(self, features: Floats, target: Floats) -> Weights:
        """The slope of the mean Huber loss over a batch, clipped to length 1 so that no learning rate ends in infinity."""
        inputs = (features - self.weights["mean"]) / self.weights["scale"]
        hidden, output = self._forward(inputs)
        slope = np.clip(output - target, -0.5, 0.5) / len(target)
        found: Weights = {"w2": hidden.T @ slope, "b2": slope.sum(keepdims=True)}
        if "w1" in self.weights:
            back = np.outer(slope, self.weights["w2"]) * (1 - hidden**2)
            found["w1"], found["b1"] = inputs.T @ back, back.sum(axis=0)
        length = sum(float((part**2).sum()) for part in found.values()) ** 0.5
        return {name: part * min(1.0, CLIP / (length + 1e-12)) for name, part in found.items()}

    def _forward(self, inputs: Floats) -> tuple[Floats, Floats]:
        hidden = np.tanh(inputs @ self.weights["w1"] + self.weights["b1"]) if "w1" in self.weights else inputs
        return hidden, hidden @ self.weights["w2"] + self.weights["b2"]


def _sgd(_weight: Floats, slope: Floats, memory: dict[str, Floats], _count: int, rate: float) -> Floats:
    memory["velocity"] = 0.9 * memory.get("velocity", np.zeros_like(slope)) + slope
    return rate * memory["velocity"]


def _rmsprop(_weight: Floats, slope: Floats, memory: dict[str, Floats], _count: int, rate: float) -> Floats:
    memory["square"] = 0.99 * memory.get("square", np.zeros_like(slope)) + 0.01 * slope**2
    return rate * slope / (np.sqrt(memory["square"]) + 1e-8)


def _adam(_weight: Floats, slope: Floats, memory: dict[str, Floats], count: int, rate: float) -> Floats:
    memory["mean"] = 0.9 * memory.get("mean", np.zeros_like(slope)) + 0.1 * slope
    memory["square"] = 0.999 * memory.get("square", np.zeros_like(slope)) + 0.001 * slope**2
    return rate * (memory["mean"] / (1 - 0.9**count)) / (np.sqrt(memory["square"] / (1 - 0.999**count)) + 1e-8)


def _adamw(weight: Floats, slope: Floats, memory: dict[str, Floats], count: int, rate: float) -> Floats:
    return _adam(weight, slope, memory, count, rate) + rate * DECAY * weight


OPTIMIZERS: dict[str, Step] = {"adam": _adam, "adamw": _adamw, "rmsprop": _rmsprop, "sgd": _sgd}


class Optimizer:
    """Moves a network's weights along gradients; remembers what its method needs between steps."""

    def __init__(self, method: str, rate: float) -> None:
        self._step, self._rate, self._count = OPTIMIZERS[method], rate, 0
        self._memory: dict[str, dict[str, Floats]] = {}

    def apply(self, network: Network, slopes: Weights) -> None:
        """One step; the network changes in place."""
        self._count += 1
        for name, slope in slopes.items():
            weight = network.weights[name]
            weight -= self._step(weight, slope, self._memory.setdefault(name, {}), self._count, self._rate)


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of one epoch, shuffled, in batches of the given size; the last may be smaller."""
    order = rng.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]
