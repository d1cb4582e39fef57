"""--cpu-bind of srun."""

import pytest

from slurm.notation.cpu_bind import CpuBind, inherited, parse
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(("text", "read"), [
    ("", CpuBind()), ("verbose", CpuBind(verbose=True)), ("v,quiet,cores", CpuBind("cores")), ("Off", CpuBind("none")),
    ("q,map_cpu:0,0x3,2*2", CpuBind("map_cpu", (0, 3, 2, 2))), ("verbose,mask_cpu:3,0xC", CpuBind("mask_cpu", (3, 12), verbose=True)),
    ("mask_ldom:1", CpuBind("mask_ldom", (1,))), ("rank_ldom", CpuBind("rank_ldom")),
])
def test_what_is_written_is_read(text: str, read: CpuBind) -> None:
    assert parse(text) == read


@pytest.mark.parametrize("text", ["corse", "cores:1", "map_cpu", "map_cpu:", "map_cpu:-1", "map_cpu:x", "mask_cpu:0x1*0", "verbose,,",
    "map_cpu:1*999999999", "mask_cpu:" + "f" * 20_000])
def test_what_is_no_binding_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(NotationError, match="valid: "):
        parse(text)


def test_what_tells_of_the_step_around_is_no_wish() -> None:
    told = {"SLURM_CPU_BIND": "quiet,mask_cpu:0x1,0x2", "SLURM_CPU_BIND_TYPE": "mask_cpu:", "SLURM_CPU_BIND_LIST": "0x1,0x2",
        "SLURM_CPU_BIND_VERBOSE": "quiet"}
    assert inherited(told)
    assert not inherited({**told, "SLURM_CPU_BIND": "cores"})
    assert not inherited({"SLURM_CPU_BIND": "verbose"})
