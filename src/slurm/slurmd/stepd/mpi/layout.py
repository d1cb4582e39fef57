"""Which ranks run on which node of a step, and MPICH's notation for that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

MOST_RANKS = 1 << 20
LONGEST_MAPPING = 1_000
"""What PMI-1 lets a value be, with room to spare."""


class Layout(NamedTuple):
    """`nodes[i]` has the ranks `ranks[i]`, in rising order."""

    nodes: Sequence[str]
    ranks: Sequence[Sequence[int]]

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return sum(map(len, self.ranks))


def parse(places: Iterable[Sequence[str]], size: int) -> Layout:
    """From (node, "0-3,8") pairs. ValueError unless each of the ranks 0 to size-1 stands there once."""
    pairs = [(str(node), _ranks(str(text))) for node, text in places]
    found = Layout([node for node, _ in pairs], [ranks for _, ranks in pairs])
    if sorted(rank for ranks in found.ranks for rank in ranks) != list(range(size)):
        raise ValueError(f"the places of {size} tasks do not hold each of them once")
    return found


def _ranks(text: str) -> list[int]:
    ranks: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        if not (low.isdecimal() and (high or low).isdecimal()) or len(part) > 2 * len(str(MOST_RANKS)) + 1:
            raise ValueError(f"no ranks: {text[:40]!r}")
        first, last = int(low), int(high or low)
        if not first <= last < MOST_RANKS or len(ranks) + last - first >= MOST_RANKS:
            raise ValueError(f"no ranks: {text[:40]!r}")
        ranks.extend(range(first, last + 1))
    return ranks


def process_mapping(layout: Layout) -> str:
    """The value of PMI_process_mapping: "(vector,(0,2,4))" is two nodes from node 0 on with four ranks each; "" where it would be too long.

    The blocks are gone through again until all ranks have a place. Source: what `mpiexec -verbose` of MPICH 4.0 shows.
    """
    where = {rank: number for number, ranks in enumerate(layout.ranks) for rank in ranks}
    runs = [(number, len(list(run))) for number, run in groupby(where[rank] for rank in range(layout.size))]
    blocks: list[tuple[int, int, int]] = []
    for number, count in runs:
        first, nodes, each = blocks[-1] if blocks else (0, 0, 0)
        if blocks and each == count and first + nodes == number:
            blocks[-1] = (first, nodes + 1, each)
        else:
            blocks.append((number, 1, count))
    text = f"(vector,{','.join(f'({first},{nodes},{each})' for first, nodes, each in _period(blocks))})"
    return text if len(text) <= LONGEST_MAPPING else ""


def _period(blocks: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The shortest beginning that gives all of it when it is repeated."""
    for length in range(1, len(blocks) // 2 + 1):
        if len(blocks) % length == 0 and blocks[:length] * (len(blocks) // length) == blocks:
            return blocks[:length]
    return blocks
