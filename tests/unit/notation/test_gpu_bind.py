"""--gpu-bind: what it says, and which GPUs each task sees by it (as real Slurm 22.05 does with GPUs of one kind)."""

import pytest

from slurm.notation.errors import NotationError
from slurm.notation.gpu_bind import GpuBind, implied, parse, seen


@pytest.mark.parametrize(("text", "tasks", "expected"), [
    ("none", 2, [[0, 1], [0, 1]]), ("", 1, [[0, 1]]), ("closest", 2, [[0, 1], [0, 1]]),
    ("single:1", 2, [[0], [1]]), ("single:2", 4, [[0], [0], [1], [1]]), ("single:1", 3, [[0], [1], [0]]),
    ("per_task:1", 2, [[0], [1]]), ("per_task:2", 2, [[0, 1], [0, 1]]), ("per_task:5", 1, [[0, 1]]),
    ("map_gpu:1,0", 2, [[1], [0]]), ("map_gpu:0x1*2", 3, [[1], [1], [1]]), ("map_gpu:0,1,2,3", 2, [[0], [1]]),
    ("mask_gpu:0x3,0x2", 2, [[0, 1], [1]]), ("verbose,single:1", 2, [[0], [1]]), ("v,closest", 1, [[0, 1]]),
])
def test_each_task_sees_the_gpus_of_its_binding(text: str, tasks: int, expected: list[list[int]]) -> None:
    assert seen(parse(text), [0, 1], tasks) == expected


def test_gpus_are_counted_among_those_of_the_step() -> None:
    assert seen(parse("map_gpu:1,0"), [2, 3], 2) == [[3], [2]]
    assert seen(parse("per_task:1"), [2, 3], 2) == [[2], [3]]
    assert seen(parse("single:1"), [], 2) == [[], []]


def test_what_each_task_or_gpu_gets_implies_a_binding() -> None:
    assert (implied(1, 0), implied(0, 2), implied(0, 0)) == ("per_task:1", "single:2", "")
    assert parse("") == GpuBind()


@pytest.mark.parametrize("text", ["single", "single:0", "per_task:x", "map_gpu", "map_gpu:a", "mask_gpu:0x", "nearest", "none:1"])
def test_what_is_no_binding_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text)
    assert "single:TASKS" in " ".join(caught.value.lines()) or "0x3" in " ".join(caught.value.lines())


def test_a_gpu_that_the_step_has_not_is_named() -> None:
    with pytest.raises(NotationError, match="names GPU 2"):
        seen(parse("map_gpu:2"), [0, 1], 1)
