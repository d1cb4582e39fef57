"""JobDefaults: what a job gets for each of its GPUs when it does not say itself, such as "DefCpuPerGPU=4,DefMemPerGPU=16000"."""

from __future__ import annotations

from typing import NamedTuple

from slurm.notation import size
from slurm.notation.errors import NotationError

KEYS = ("DefCpuPerGPU", "DefMemPerGPU")


class JobDefaults(NamedTuple):
    """CPUs and memory (MB) for each GPU, None where nothing is said."""

    cpus_per_gpu: int | None = None
    mem_per_gpu: int | None = None

    def show(self) -> str:
        """As scontrol prints it, "" for nothing."""
        return ",".join(f"{key}={value}" for key, value in zip(KEYS, self, strict=True) if value is not None)


def parse(text: str) -> JobDefaults:
    """What a text says; NotationError for one that does not say so. "" and "(null)" say nothing."""
    found: dict[str, int] = {}
    for word in text.split(",") if text and text.lower() != "(null)" else ():
        name, equals, value = word.strip().partition("=")
        key = next((key for key in KEYS if key.lower() == name.strip().lower()), None)
        if key is None or not equals:
            raise NotationError("no default for jobs", text=word.strip(), valid=" and ".join(f"{key}=N"
                for key in KEYS) + ", with a comma between")
        if key == "DefMemPerGPU":
            found[key] = size.parse_mb(value)
        elif value.isascii() and value.isdecimal() and 0 < len(value) <= 9:
            found[key] = int(value)
        else:
            raise NotationError("no number of CPUs", text=word.strip(), valid=f"{key}=4")
    return JobDefaults(found.get(KEYS[0]), found.get(KEYS[1]))
