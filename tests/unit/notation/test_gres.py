"""Generic resources as options, configuration and scontrol write them."""

import pytest

from slurm.notation import gres
from slurm.notation.errors import NotationError
from slurm.notation.gres import GresRequest


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("gpu", [GresRequest("gpu")]),
        ("gpu:2", [GresRequest("gpu", "", 2)]),
        ("gpu:a100", [GresRequest("gpu", "a100", 1)]),
        ("gpu:a100:2,shard:4", [GresRequest("gpu", "a100", 2), GresRequest("shard", "", 4)]),
        ("gpu:h100:1", [GresRequest("gpu", "h100", 1)]),
        ("gres/gpu:a100:2", [GresRequest("gpu", "a100", 2)]),
        ("gres:gpu:2", [GresRequest("gpu", "", 2)]),
        ("gres/gpu=2", [GresRequest("gpu", "", 2)]),
        ("bandwidth:4K", [GresRequest("bandwidth", "", 4096)]),
        ("gpu:a100:2(S:0-1)", [GresRequest("gpu", "a100", 2)]),
        ("gpu:a100:2(IDX:0,3),shard:1", [GresRequest("gpu", "a100", 2), GresRequest("shard", "", 1)]),
        ("gpu:0", [GresRequest("gpu", "", 0)]),
        ("none", []),
        ("", []),
        ("(null)", []),
    ],
)
def test_generic_resources_are_read(text: str, requests: list[GresRequest]) -> None:
    assert gres.parse(text) == requests


@pytest.mark.parametrize("text", ["gpu:a:b:2", "gpu:", "gpu::2", ",gpu", "gpu:-1", "4", ":2", "gpu:a b"])
def test_malformed_generic_resources_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        gres.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2", "gpu:2"), ("a100:2", "gpu:a100:2"), ("a100:2,h100:1", "gpu:a100:2,gpu:h100:1"), ("gpu:3", "gpu:3"), ("none", "")],
)
def test_gpu_options_need_no_resource_name(text: str, shown: str) -> None:
    assert gres.show(gres.parse_gpus(text)) == shown


def test_resources_show_as_scontrol_prints_them() -> None:
    assert gres.show(gres.parse("gpu:a100:2"), prefix="gres/") == "gres/gpu:a100:2"
    assert gres.show_used("gpu", "a100", [0, 1]) == "gpu:a100:2(IDX:0-1)"
    assert gres.show_used("gpu", "a100", [3, 0, 1]) == "gpu:a100:3(IDX:0-1,3)"
    assert gres.show_used("gpu", "a100", []) == "gpu:a100:0(IDX:N/A)"
