"""How programs are told which GPUs are theirs: CUDA_VISIBLE_DEVICES and its kin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from slurm.config.gres import VARIABLES, GresDevice
from slurm.notation import gpu_bind


class Naming(NamedTuple):
    """`variables` to set; `seen_as`: index of a GPU → what programs call it, where that is not its index. `relative`: the kernel hides what
    a step does not hold (ConstrainDevices), so that the libraries of the vendors number those that it holds from 0 on."""

    variables: Sequence[str] = tuple(VARIABLES.values())
    seen_as: Mapping[int, str] = {}
    relative: bool = False

    def of(self, gpus: Iterable[int], held: Sequence[int]) -> dict[str, str]:
        """The variables of a task that sees `gpus` of those that its step holds."""
        order = sorted(held, key=lambda gpu: (self._number(gpu), gpu))
        shown = ",".join(self._name(gpu, order) for gpu in gpus)
        return dict.fromkeys(self.variables, shown)

    def within(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment of slurmctld's making, which knows no machine: with the variables that this node's GPUs are announced by."""
        indexes = environment.get("SLURM_JOB_GPUS", "")
        words = indexes.split(",")
        if not all(word.isdecimal() for word in words):
            return dict(environment)
        gpus = [int(word) for word in words]
        others = {name: value for name, value in environment.items() if name not in gpu_bind.SEEN_BY}
        return {**others, **self.of(gpus, gpus)}

    def _name(self, gpu: int, order: Sequence[int]) -> str:
        name = self.seen_as.get(gpu, str(gpu))
        return str(order.index(gpu)) if self.relative and name.isdecimal() and gpu in order else name

    def _number(self, gpu: int) -> int:
        name = self.seen_as.get(gpu, str(gpu))
        return int(name) if name.isdecimal() else gpu


def naming_of(devices: Iterable[GresDevice], variables: Sequence[str], *, constrained: bool) -> Naming:
    """How the GPUs among these devices are called; `constrained`: the kernel keeps a step from those that are not its own."""
    gpus = [device for device in devices if device.name == "gpu"]
    return Naming(variables, {device.index: device.seen_as for device in gpus if device.seen_as},
                  constrained and all(device.file for device in gpus))
