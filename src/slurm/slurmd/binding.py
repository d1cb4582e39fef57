"""Which of a step's CPUs each of its tasks on this node is bound to, in the kernel's numbers.

Source: srun(1), --cpu-bind and --distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from slurm.model.errors import InvalidRequest
from slurm.notation.cpu_bind import VARIABLES, CpuBind, parse
from slurm.slurmd.processors import Core

Domains = Callable[[], Sequence[Collection[int]]]
"""Tells the CPUs of each NUMA node."""


class Binding(NamedTuple):
    """`cpus` of each task, [] where all have the step's; `variables` that tell them; `report` is what a task says of it when it begins:
    "MASK", "NONE", or "" for nothing."""

    cpus: Sequence[Sequence[int]] = ()
    variables: Mapping[str, str] = {}
    report: str = ""


class Wish(NamedTuple):
    """What srun asked for: its --cpu-bind, CPUs of a task, threads of a core that are to be used (0: all), and how CPUs are dealt out over
    sockets: block, cyclic or fcyclic ("": cyclic)."""

    bind: str = ""
    cpus_per_task: int = 0
    threads_per_core: int = 0
    distribution: str = ""


class Share:
    """The CPUs of a step on this node, by the machine's cores."""

    def __init__(self, cpus: Collection[int], machine: Sequence[Core], threads: int = 0) -> None:
        held = set(cpus)
        mine = [(core.socket, tuple(cpu for cpu in core.cpus if cpu in held)[:threads or None]) for core in machine]
        self.cores = [Core(socket, own) for socket, own in mine if own]
        self.cpus = [cpu for core in self.cores for cpu in core.cpus]
        self.sockets = sorted({core.socket for core in self.cores})

    @property
    def in_turns(self) -> list[Core]:
        """Its cores, one of each socket after another."""
        seen: dict[int, int] = {}
        turns: list[tuple[int, Core]] = []
        for core in self.cores:
            seen[core.socket] = seen.get(core.socket, 0) + 1
            turns.append((seen[core.socket], core))
        return [core for _, core in sorted(turns)]


def settle(wish: Wish, cpus: Sequence[int], tasks: int, machine: Sequence[Core], domains: Domains) -> Binding:
    """The binding of a node's tasks to some of `cpus`, which are the step's here.

    NotationError, InvalidRequest for CPUs that the step has not.
    """
    bind = parse(wish.bind)
    share = Share(cpus, machine, wish.threads_per_core)
    if not share.cpus:
        return Binding()
    each = max(1, wish.cpus_per_task)
    kind = bind.kind or _fitting(share, tasks * each) or ("threads" if wish.threads_per_core else "none")
    if kind == "none":
        masks: list[Sequence[int]] = []
    elif bind.numbers:
        masks = _listed(bind, share, tasks, domains)
    else:
        dealt = _dealt(share, tasks, each, "block" if kind == "rank" else wish.distribution)
        masks = [_widened(kind, some, share, domains) for some in dealt]
    told = "verbose" if bind.verbose else "quiet"
    shown = ("mask_cpu:", ",".join(map(_mask, masks))) if masks else ("none", "")
    return Binding(masks, dict(zip(VARIABLES, (f"{told},{shown[0]}{shown[1]}", shown[1], shown[0], told), strict=True)),
        ("MASK" if masks else "NONE") if bind.verbose else "")


def _fitting(share: Share, wanted: int) -> str:
    """What there is just enough of, as srun(1) says of tasks for which nothing is asked."""
    for kind, count in (("sockets", len(share.sockets)), ("cores", len(share.cores)), ("threads", len(share.cpus))):
        if wanted == count:
            return kind
    return ""


def _dealt(share: Share, tasks: int, each: int, distribution: str) -> list[list[int]]:
    """The CPUs of each task: a thread of each core while cores suffice, then all threads; from the beginning again where they do not."""
    cores = share.in_turns if distribution == "fcyclic" else share.cores
    slots = [core.cpus[0] for core in cores] if tasks * each <= len(cores) else [cpu for core in cores for cpu in core.cpus]
    size = min(each, len(slots))
    if distribution in ("block", "fcyclic"):
        return [[slots[(task * each + place) % len(slots)] for place in range(size)] for task in range(tasks)]
    of = {cpu: core.socket for core in share.cores for cpu in core.cpus}
    dealt: list[list[int]] = []
    left: dict[int, list[int]] = {}
    for task in range(tasks):
        if sum(map(len, left.values())) < size:
            left = {socket: [cpu for cpu in slots if of[cpu] == socket] for socket in share.sockets}
        turn = task % len(share.sockets)
        sockets = share.sockets[turn:] + share.sockets[:turn]
        sockets.sort(key=lambda socket: len(left[socket]) < size)  # one that has enough for the task goes first
        taken: list[int] = []
        for socket in sockets:
            count = size - len(taken)
            taken += left[socket][:count]
            left[socket] = left[socket][count:]
        dealt.append(taken)
    return dealt


def _widened(kind: str, cpus: Collection[int], share: Share, domains: Domains) -> list[int]:
    """All of the step's CPUs in the cores, sockets or domains of these."""
    held, taken = set(share.cpus), set(cpus)
    if kind == "cores":
        held = {cpu for core in share.cores if taken.intersection(core.cpus) for cpu in core.cpus}
    elif kind == "sockets":
        sockets = {core.socket for core in share.cores if taken.intersection(core.cpus)}
        held = {cpu for core in share.cores if core.socket in sockets for cpu in core.cpus}
    elif kind in ("ldoms", "rank_ldom"):
        near = [set(domain) for domain in domains() if taken.intersection(domain)]
        held = held.intersection(set().union(*near)) if near else held
    elif kind != "boards":
        held = taken
    return sorted(held)


def _listed(bind: CpuBind, share: Share, tasks: int, domains: Domains) -> list[Sequence[int]]:
    """What map_cpu and its kin name for each task: the list begins again where there are more tasks."""
    known = domains() if bind.kind.endswith("ldom") else []
    masks: list[Sequence[int]] = []
    for task in range(tasks):
        number = bind.numbers[task % len(bind.numbers)]
        named = [number] if bind.kind.startswith("map") else [bit for bit in range(number.bit_length()) if number >> bit & 1]
        if bind.kind.endswith("ldom"):
            named = [cpu for domain in named if domain < len(known) for cpu in known[domain] if cpu in share.cpus]
        if not named or not set(named) <= set(share.cpus):
            raise InvalidRequest(message="Unable to satisfy cpu bind request", hints=[
                f"CPU binding outside of job step allocation, allocated CPUs are: {_mask(share.cpus)}",
                "--cpu-bind=cores needs no numbers; a job with --exclusive has all CPUs of its nodes"])
        masks.append(sorted(named))
    return masks


def _mask(cpus: Collection[int]) -> str:
    return f"0x{sum(1 << cpu for cpu in cpus):X}"
