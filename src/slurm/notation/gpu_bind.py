"""The `--gpu-bind=[verbose,]TYPE[:VALUE]` notation, and which GPUs of a step each task sees by it.

Which GPUs a step has is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slurm.notation.errors import NotationError

SEEN_BY = ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""Variables by which programs learn which GPUs are theirs. Source: gres.conf(5), Flags."""
OF_A_JOB = (*SEEN_BY, "NEURON_RT_VISIBLE_CORES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
"""All variables that tell of the GPUs of one job or step; where the cluster gives GPUs out, nobody hands them on to another."""
VALID = "none, closest, single:TASKS, per_task:GPUS, map_gpu:GPU,… or mask_gpu:MASK,…"
_WORDS = ("verbose", "v", "quiet", "q")
_COUNTED = ("single", "per_task")
_LISTED = ("map_gpu", "mask_gpu")


class GpuBind(NamedTuple):
    """`kind` none, closest, single, per_task, map_gpu or mask_gpu; `numbers` its one count, or a GPU or a mask of GPUs for each task."""

    kind: str = "none"
    numbers: tuple[int, ...] = ()


def parse(text: str) -> GpuBind:
    """The binding that a text asks for; NotationError. Words that only say how much to tell are passed over."""
    left = text.strip().lower()
    while left.partition(",")[0] in _WORDS:
        left = left.partition(",")[2]
    kind, colon, value = left.partition(":")
    kind = kind.removeprefix("gres/gpu:")
    if kind in ("", "none", "no", "off", "closest") and not colon:
        return GpuBind("closest" if kind == "closest" else "none")
    if kind in _COUNTED and value.isascii() and value.isdigit() and int(value) > 0:
        return GpuBind(kind, (int(value),))
    if kind in _LISTED and value:
        return GpuBind(kind, tuple(number for word in value.split(",") for number in _repeated(word, text)))
    raise NotationError(f'"{text}" is no binding of tasks to GPUs', text=text, valid=VALID)


def implied(gpus_per_task: int, tasks_per_gpu: int) -> str:
    """The binding that --gpus-per-task or --ntasks-per-gpu ask for by themselves, "" when neither is given (0)."""
    if gpus_per_task:
        return f"per_task:{gpus_per_task}"
    return f"single:{tasks_per_gpu}" if tasks_per_gpu else ""


def seen(bind: GpuBind, gpus: Sequence[int], tasks: int) -> list[list[int]]:
    """For each task of a node the GPUs that it sees, of those that the step has there, by their places in that list.

    Where there are more tasks than a list or the GPUs suffice for, it begins again. NotationError for a GPU that is not there.
    """
    if not gpus or bind.kind in ("none", "closest"):
        return [list(gpus)] * tasks
    if bind.kind == "single":
        return [[gpus[task // bind.numbers[0] % len(gpus)]] for task in range(tasks)]
    if bind.kind == "per_task":
        each = min(bind.numbers[0], len(gpus))
        return [sorted(gpus[(task * each + number) % len(gpus)] for number in range(each)) for task in range(tasks)]
    numbers = [bind.numbers[task % len(bind.numbers)] for task in range(tasks)]
    return [[gpus[place] for place in _places(bind.kind, number, len(gpus))] for number in numbers]


def _places(kind: str, number: int, count: int) -> list[int]:
    found = [number] if kind == "map_gpu" else [bit for bit in range(number.bit_length()) if number >> bit & 1]
    if missing := [place for place in found if place >= count]:
        raise NotationError(f"--gpu-bind={kind} names GPU {missing[0]}", valid=f"the step has {count} on this node, from 0 on")
    return found


def _repeated(word: str, text: str) -> list[int]:
    number, star, times = word.partition("*")
    try:
        return [int(number, 0)] * (int(times) if star else 1)
    except ValueError:
        raise NotationError(f'"{word}" is no number of a GPU', text=text, valid="numbers such as 0, 0x3 or 1*4") from None
