"""The `--cpu-bind=[quiet|verbose,]TYPE[:LIST]` notation of srun. Which CPUs a node's tasks get by it is decided on the node.

Source: srun(1), --cpu-bind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from slurm.notation.errors import NotationError

VARIABLES = ("SLURM_CPU_BIND", "SLURM_CPU_BIND_LIST", "SLURM_CPU_BIND_TYPE", "SLURM_CPU_BIND_VERBOSE")
"""By which tasks learn what they are bound to."""
VALID = ("none, rank, threads, cores, sockets, ldoms, boards, rank_ldom, map_cpu:CPU,…, mask_cpu:MASK,…, map_ldom:DOMAIN,… or "
    "mask_ldom:MASK,…; before it verbose or quiet")
_VERBOSE, _QUIET = ("verbose", "v"), ("quiet", "q")
_NONE = ("none", "no", "n", "off")
_PLAIN = ("rank", "rank_ldom", "threads", "cores", "sockets", "ldoms", "boards")
_LISTED = ("map_cpu", "mask_cpu", "map_ldom", "mask_ldom")
_MOST_BITS = 65_536


class CpuBind(NamedTuple):
    """`kind` as in VALID, "" where the node is to find what fits; `numbers` of a list: for each task a CPU, a domain, or a mask of them."""

    kind: str = ""
    numbers: tuple[int, ...] = ()
    verbose: bool = False


def parse(text: str) -> CpuBind:
    """The binding that a text asks for; NotationError."""
    left, verbose = text.strip().lower(), False
    while (word := left.partition(",")[0]) in _VERBOSE or word in _QUIET:
        verbose = word in _VERBOSE
        left = left.partition(",")[2]
    kind, colon, value = left.partition(":")
    if not colon and kind in _NONE:
        return CpuBind("none", verbose=verbose)
    if not colon and kind in ("", *_PLAIN):
        return CpuBind(kind, verbose=verbose)
    if kind in _LISTED and value:
        masks = kind.startswith("mask")
        numbers = tuple(number for word in value.split(",") for number in _repeated(word, text, 16 if masks else 0))
        return CpuBind(kind, numbers, verbose)
    raise NotationError(f'"{text}" is no binding of tasks to CPUs', text=text, valid=VALID)


def inherited(environ: Mapping[str, str]) -> bool:
    """Whether SLURM_CPU_BIND tells what the step around us is bound to, and is nobody's wish."""
    whole, listed, kind, told = (environ.get(name, "") for name in VARIABLES)
    return bool(whole and told) and whole == f"{told},{kind}{listed}"


def _repeated(word: str, text: str, base: int) -> list[int]:
    number, star, times = word.partition("*")
    try:
        value, count = int(number, base), int(times) if star else 1
    except ValueError:
        value = count = -1
    if not (number.isascii() and value >= 0 and value.bit_length() <= _MOST_BITS and 0 < count <= _MOST_BITS):
        raise NotationError(f'"{word}" is no number of a CPU', text=text, valid="numbers such as 0, 0x3 or 1*4")
    return [value] * count
