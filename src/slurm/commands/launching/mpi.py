"""srun's part in MPI: which interface the tasks get (--mpi, MpiDefault), and carrying what they exchange from node to node.

A fence ends when every node has sent what it gives: srun then sends all of that to all of them, unread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slurm.commands.launching.ledger import rank_ranges
from slurm.commands.launching.link import Link
from slurm.model.errors import SlurmError, Unsupported
from slurm.wire import step_io

TYPES = ("none", "pmi2", "pmix")
"""What --mpi=list shows."""
_PMIX_VERSION = "pmix_v4"
_PIECE_BYTES = 1 << 16


def listed() -> str:
    """What --mpi=list says."""
    return "".join(["MPI plugin types are...", *(f"\n\t{name}" for name in TYPES),
        f"\nspecific pmix plugin versions available: {_PMIX_VERSION}"])


def chosen(asked: str, default: str, components: int = 1) -> str:
    """What a step's LaunchStep says: "" for none. `asked` is --mpi or SLURM_MPI_TYPE, `default` MpiDefault. SlurmError for what there is
    not, Unsupported over several `components` of a heterogeneous job."""
    name = (asked or ("" if components > 1 else default) or "none").strip().lower()
    if name in ("none", "openmpi"):  # what Open MPI's mpirun starts needs nothing of srun; Slurm took the name for none
        return ""
    if name == _PMIX_VERSION:
        name = "pmix"
    if name not in TYPES:
        raise SlurmError("ESLURM_INVALID_OPTION", f"Invalid MPI type '{name}', --mpi=list for acceptable types",
            hints=[f"valid: {', '.join(TYPES)}"])
    if components > 1:
        raise Unsupported(message=f"--mpi={name} is not supported by slurm-py over several components of a job yet", hints=[
            "mpirun inside the job starts such programs"])
    return name


def launch_fields(name: str, layout: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The fields of LaunchStep for this interface."""
    return {"mpi": name, "places": [(place["node"], rank_ranges(place["ranks"])) for place in layout]} if name else {}


class Exchange:
    """What the nodes of a step give at fences."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._given: dict[str, bytearray] = {link.node: bytearray() for link in links}
        self._complete: set[str] = set()

    def take(self, link: Link, data: bytes) -> None:
        """A piece of what a node gives. With the last piece of the last node all of it goes to all."""
        self._given[link.node] += data[1:]
        if data[:1] == step_io.LAST:
            self._complete.add(link.node)
        if len(self._complete) < len(self._links):
            return
        everything = b"".join(bytes(self._given[one.node]) for one in self._links)
        self._complete.clear()
        for given in self._given.values():
            given.clear()
        for start in range(0, max(1, len(everything)), _PIECE_BYTES):
            mark = step_io.LAST if start + _PIECE_BYTES >= len(everything) else step_io.PIECE
            piece = mark + everything[start:start + _PIECE_BYTES]
            for one in self._links:
                one.send(step_io.EXCHANGE, step_io.ALL_TASKS, piece)
