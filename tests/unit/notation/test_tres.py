"""Trackable resources as the transcripts print them."""

import pytest

from slurm.notation import tres
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(
    "text",
    [
        "cpu=4,mem=2000M,node=1,billing=4",
        "cpu=16,mem=62.50G,billing=16",
        "cpu=64,mem=312.50G,node=4,billing=64,gres/gpu=2",
        "cpu=1,mem=16G,node=1,billing=1,gres/gpu=2",
        "cpu=1,mem=16G,gres/gpu=2",
        "cpu=4,gres/gpu=2,gres/gpu:a100=2",
        "",
    ],
)
def test_what_scontrol_prints_reads_back(text: str) -> None:
    assert tres.show(tres.parse(text)) == text


def test_amounts_are_put_in_slurms_order_and_nothing_is_shown_of_zero() -> None:
    assert tres.show({"gres/gpu": 2, "billing": 4, "node": 1, "mem": 8192, "cpu": 4, "energy": 0}) == (
        "cpu=4,mem=8G,node=1,billing=4,gres/gpu=2"
    )


def test_sacct_orders_by_name() -> None:
    assert tres.show({"cpu": 4, "mem": 8192, "node": 1, "billing": 4, "gres/gpu": 2}, alphabetical=True) == (
        "billing=4,cpu=4,gres/gpu=2,mem=8G,node=1"
    )


@pytest.mark.parametrize("text", ["cpu", "cpu=", "cpu=x", "=4", "cpu=1,cpu=2", "mem=1.G", "mem=x", "cpu=1,"])
def test_malformed_amounts_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        tres.parse(text)


@pytest.mark.parametrize(("text", "amounts"), [
    ("gres/gpu:1", {"gres/gpu": 1}), ("cpu:2,gres/gpu:1", {"cpu": 2, "gres/gpu": 1}), ("gres/gpu:a100:2", {"gres/gpu:a100": 2}),
    ("cpu=2,gres/gpu=1", {"cpu": 2, "gres/gpu": 1}), ("gres/gpu:a100=2", {"gres/gpu:a100": 2}), ("gres/gpu", {"gres/gpu": 1}),
    ("gres/gpu:a100", {"gres/gpu:a100": 1})])
def test_what_a_task_gets_is_written_with_colons_or_equals_signs(text: str, amounts: dict[str, int]) -> None:
    assert tres.parse_each(text) == amounts


def test_weights_are_for_each_and_of_memory_for_each_mb_unless_a_unit_is_named() -> None:
    assert tres.parse_weights("CPU=1.0,Mem=0.25G,GRES/gpu=2.5") == {"cpu": 1.0, "mem": 0.25 / 1024, "gres/gpu": 2.5}
    assert tres.parse_weights("mem=2,node=3") == {"mem": 2.0, "node": 3.0}
    assert tres.parse_weights("") == {}


@pytest.mark.parametrize("text", ["CPU", "CPU=", "CPU=x", "CPU=-1", "=1", "CPU=inf", "CPU=nan", "CPU=1G"])
def test_malformed_weights_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        tres.parse_weights(text)
