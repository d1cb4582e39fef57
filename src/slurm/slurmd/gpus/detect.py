"""AutoDetect of gres.conf carried out: the way of looking that it names, with a sentence where that cannot be gone."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from slurm.model.errors import ConfigError
from slurm.slurmd.gpus import drm, neuron, nvidia, nvml
from slurm.slurmd.gpus.found import FoundGpu
from slurm.slurmd.gpus.tree import Tree

LIBRARY = "pynvml"


class Look(NamedTuple):
    """What was found, and what is to be told of how."""

    gpus: list[FoundGpu]
    told: list[str]


def load(name: str) -> Any:  # noqa: ANN401 - the library has no types
    """The library of that name; ImportError."""
    return importlib.import_module(name)


def look(way: str, tree: Tree | None = None, library: Callable[[str], Any] = load) -> Look:
    """The GPUs of this machine as `AutoDetect=WAY` finds them; ConfigError where a library is wanted that is not there."""
    tree = tree or Tree()
    if way == "off":
        return Look([], [])
    told: list[str] = []
    gpus: list[FoundGpu] = []
    if way == "nvml":
        try:
            gpus = nvml.find(_nvml(library), tree)
        except nvml.NvmlError as error:
            told.append(str(error))
    else:
        gpus = _BY_FILES[way](tree)
    if not gpus:
        told.append(f"AutoDetect={way}: 0 GPU system device(s) detected")
    return Look(gpus, told)


def _nvml(library: Callable[[str], Any]) -> Any:  # noqa: ANN401
    try:
        return library(LIBRARY)
    except ImportError as error:
        raise ConfigError(
            message="We were configured to autodetect nvml functionality, but we weren't able to find that lib",
            hints=["pip install 'slurm-py[gpu]' brings nvidia-ml-py",
                   "AutoDetect=nvidia of gres.conf needs no library; it finds no MIG instances and no NVLinks"]) from error


_BY_FILES: dict[str, Callable[[Tree], list[FoundGpu]]] = {"nvidia": nvidia.find, "rsmi": drm.amd, "oneapi": drm.intel, "nrt": neuron.find}
