"""Node counts of --nodes."""

import pytest

from slurm.notation import nodecount
from slurm.notation.errors import NotationError
from slurm.notation.nodecount import NodeCount


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("4", NodeCount(4, 4)),
        ("2-8", NodeCount(2, 8)),
        ("1k", NodeCount(1024, 1024)),
        ("1-2k", NodeCount(1, 2048)),
        ("1,5,9-10", NodeCount(1, 10, (1, 5, 9, 10))),
        ("4-12:4", NodeCount(4, 12, (4, 8, 12))),
    ],
)
def test_a_node_count_is_read(text: str, nodes: NodeCount) -> None:
    assert nodecount.parse(text) == nodes
    assert nodecount.parse(nodes.show()) == nodes


@pytest.mark.parametrize("text", ["0", "", "-1", "8-2", "x", "2-", "1,,2", "1-5:0", "1-9m,3", "k"])
def test_a_malformed_node_count_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        nodecount.parse(text)
