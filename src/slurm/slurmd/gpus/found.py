"""What a look at a machine's GPUs finds, in order of their numbers."""

from __future__ import annotations

from typing import NamedTuple


class FoundGpu(NamedTuple):
    """One GPU, or one instance of a GPU that is divided (MIG).

    `type`: its model in lower case, spaces as underscores; `file`: its device files, joined by commas; `cpus`: numbers of the machine's
    CPUs near it, empty where the machine does not say; `links`: connections to each of the GPUs found, -1 for itself, empty where there are
    none to tell of; `seen_as`: how programs name it in CUDA_VISIBLE_DEVICES and its kin; `address`: where it is, for logs.
    """

    type: str
    file: str
    seen_as: str
    cpus: frozenset[int] = frozenset()
    links: tuple[int, ...] = ()
    address: str = ""


def model(name: str | bytes) -> str:
    """A product's name as a type: lower case, no spaces and nothing that means something in Gres=."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    return "_".join(text.lower().replace(":", " ").replace(",", " ").replace("(", " ").replace(")", " ").split())
