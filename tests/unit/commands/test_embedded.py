"""The embedded cluster's own parts: its shape, the configuration that says so, its files, its words."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from slurm.commands import slurm
from slurm.commands.embedded import processes, shape, up
from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.commands.embedded.processes import daemons
from slurm.commands.embedded.shape import Shape
from slurm.config.config import parse
from slurm.config.slurmdbd import parse_slurmdbd
from slurm.model.errors import InvalidRequest, StoreError
from slurm.slurmctld import setup

MACHINE = Shape(nodes=1, sockets=2, cores_per_socket=4, threads_per_core=2, memory=64000, gpus=2, gpu_type="a100",
                gpu_files=("/dev/nvidia0", "/dev/nvidia1"), emulated=False)


def options(**given: object) -> object:
    parsed = slurm.parser().parse_args(["up"])
    for name, value in given.items():
        setattr(parsed, name, value)
    return parsed


def conf(of: Shape, folder: str = "/state/slurm/x") -> str:
    return shape.slurm_conf(of, "x", folder, "host", "user")


@pytest.mark.parametrize("of", [
    MACHINE, shape.emulated(MACHINE, nodes=4, cpus=16, memory=1000, gpus=2, gpu_type="h100"),
    shape.emulated(MACHINE, nodes=12, cpus=1, memory=None, gpus=None, gpu_type="")])
@pytest.mark.parametrize("folder", ["/state/slurm/x", "/home/a user/my state/slurm/x"])
def test_what_slurm_up_writes_is_a_configuration_without_a_warning(of: Shape, folder: str) -> None:
    found = parse(conf(of, folder), gres=shape.gres_conf(of) or None)
    assert found.warnings == []
    event = setup.configured(found, 0.0, [])
    assert [str(node.name) for node in event.nodes] == of.names
    assert all((node.cpus, node.memory) == (of.cpus, of.memory) for node in event.nodes)
    assert all(sum(pool.count for pool in node.gres) == of.gpus for node in event.nodes)
    assert event.settings.config_overrides == of.emulated
    assert found.text("EnforcePartLimits").upper() == "ALL", "what no partition can ever run is refused at once"
    assert found.text("StateSaveLocation") == f"{folder}/state"
    assert found.for_node("SlurmdSpoolDir", found.nodes[0]) == f"{folder}/spool/{of.names[0]}"
    assert found.text("AuthType") == "auth/local"


def test_real_gpus_have_their_device_files_and_emulated_ones_none() -> None:
    assert shape.gres_conf(MACHINE) == "Name=gpu Type=a100 File=/dev/nvidia0\nName=gpu Type=a100 File=/dev/nvidia1\n"
    assert shape.gres_conf(shape.emulated(MACHINE, nodes=1, cpus=1, memory=1, gpus=3, gpu_type="")) == "Name=gpu Type=emulated Count=3\n"
    assert shape.gres_conf(MACHINE._replace(gpus=0, gpu_files=())) == ""


def test_names_have_as_many_digits_as_they_need() -> None:
    assert MACHINE.names == ["cn01"] and MACHINE.ranged == "cn01"
    assert MACHINE._replace(nodes=3).ranged == "cn[01-03]"
    assert MACHINE._replace(nodes=120).names[-1] == "cn120" and MACHINE._replace(nodes=120).names[0] == "cn001"


def test_memory_that_is_not_said_is_enough_for_ordinary_programs_on_each_node() -> None:
    assert shape.emulated(MACHINE, nodes=4, cpus=None, memory=None, gpus=None, gpu_type="").memory == 64000
    small = MACHINE._replace(memory=8000)
    assert shape.emulated(small, nodes=4, cpus=16, memory=None, gpus=None, gpu_type="").memory_per_cpu == 2048
    assert shape.emulated(small, nodes=4, cpus=16, memory=8000, gpus=None, gpu_type="").memory_per_cpu == 500


@pytest.mark.parametrize(("given", "said"), [
    ({"nodes": 0}, "--nodes 0"), ({"nodes": 100000}, "256 are the most"), ({"cpus": -1}, "--cpus -1"), ({"gpus": "h100:x"}, "--gpus h100:x"),
    ({"memory": "3Q"}, "3Q")])
def test_shapes_that_cannot_be_are_refused_with_what_would_be_valid(given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        up._wanted(options(**given))  # type: ignore[arg-type]
    assert said in "\n".join(error.value.lines())


def test_a_cluster_remembers_its_shape_and_forgets_one_it_cannot_read(tmp_path: Path) -> None:
    cluster = EmbeddedCluster({"XDG_STATE_HOME": str(tmp_path)}, "x")
    assert cluster.shape is None and cluster.daemons == []
    cluster.write(MACHINE, {"slurm.conf": conf(MACHINE), "gres.conf": "Name=gpu\n"})
    assert cluster.shape == MACHINE
    assert os.stat(cluster.instance.root).st_mode & 0o777 == 0o700
    cluster.write(MACHINE, {"slurm.conf": conf(MACHINE), "gres.conf": ""})
    assert not (tmp_path / "slurm" / "x" / "gres.conf").exists()
    for text in ('{"nodes": 1}', "[]", "{", '{"gpu_files": [], "colour": 1}'):
        (tmp_path / "slurm" / "x" / "shape.json").write_text(text)
        assert cluster.shape is None


def test_a_state_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "slurm").write_text("a file")
    cluster = EmbeddedCluster({"XDG_STATE_HOME": str(tmp_path)}, "x")
    with pytest.raises(StoreError) as error, cluster.locked():
        pass
    assert str(tmp_path) in error.value.message and "XDG_STATE_HOME" in error.value.hints[0]


def test_daemons_are_the_controller_first_and_one_slurmd_a_node(tmp_path: Path) -> None:
    cluster = EmbeddedCluster({"XDG_STATE_HOME": str(tmp_path)}, "x")
    found = daemons(cluster.instance, ["cn01", "cn02"])
    assert [daemon.name for daemon in found] == ["slurmctld", "slurmd cn01", "slurmd cn02"]
    assert [daemon.pid for daemon in found] == [0, 0, 0]
    configured = parse(conf(MACHINE._replace(nodes=2), cluster.instance.root), gres=shape.gres_conf(MACHINE))
    assert found[0].pid_file == configured.text("SlurmctldPidFile") and found[0].log == configured.text("SlurmctldLogFile")
    for daemon, node in zip(found[1:], configured.nodes, strict=True):
        assert daemon.pid_file == configured.for_node("SlurmdPidFile", node) and daemon.log == configured.for_node("SlurmdLogFile", node)


def test_a_cluster_has_a_slurmdbd_where_it_has_a_slurmdbd_conf_and_that_says_where_its_files_are(tmp_path: Path) -> None:
    cluster = EmbeddedCluster({"XDG_STATE_HOME": str(tmp_path)}, "x")
    os.makedirs(cluster.instance.root)
    text = shape.slurmdbd_conf("x", cluster.instance.root, "anna")
    Path(cluster.instance.dbd_conf).write_text(text)
    found = daemons(cluster.instance, ["cn01"])[-1]
    configured = parse_slurmdbd(text)
    assert (found.program, found.conf, configured.warnings) == ("slurmdbd", cluster.instance.dbd_conf, [])
    assert (found.pid_file, found.log) == (configured.text("PidFile"), configured.text("LogFile"))


def test_down_and_status_of_a_cluster_that_does_not_exist_say_so_and_make_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("SLURM_PY_INSTANCE", raising=False)
    assert slurm.main(["down"]) == 0
    assert slurm.main(["status"]) == 3
    assert capsys.readouterr().out == (
        "Cluster default does not exist. Nothing was changed.\nCluster default does not exist: start one with `slurm up`\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "said"), [
    (["job", "list"], "slurm has no command job; did you mean jobs?"), (["jobs", "lst"], "slurm jobs has no command lst; did you mean list?"),
    (["mcp", "xyzzy"], "slurm mcp has no command xyzzy; it has run, status")])
def test_a_subcommand_that_there_is_not_is_refused_with_the_nearest_that_there_is(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert slurm.main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"slurm: error: {said}"
    assert slurm.main([*words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == said


def test_every_subcommand_has_json_but_the_one_that_speaks_a_protocol() -> None:
    def leaves(rows: Mapping[str, slurm.Row], *above: str) -> Iterator[tuple[str, str]]:
        for name, row in rows.items():
            yield from leaves(row.rows, *above, name) if row.rows else [(" ".join((*above, name)), row.module)]

    without = []
    for name, module in leaves(slurm.SUBCOMMANDS):
        options = argparse.ArgumentParser()
        import_module(f"slurm.commands.{module}").arguments(options)
        if "--json" not in options.format_help():
            without.append(name)
    assert without == ["mcp run"]


def test_a_table_for_a_pipe_is_aligned_text() -> None:
    out = io.StringIO()
    Console(out, out).table(["NODE", "STATE"], [["cn01", "idle"], ["a-long-name", "down"]], title="Nodes")
    assert out.getvalue() == "Nodes\nNODE         STATE\ncn01         idle\na-long-name  down\n"


class Terminal(io.StringIO):
    """Output that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "name"), [(60, "a-very-long-name-of-a-node"), (30, "a-very…"), (18, "a-very-long-name-of-a-node")])
def test_a_table_on_a_narrow_terminal_keeps_all_its_columns(columns: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Terminal()
    Console(out, out).table(["NODE", "STATE", "PARTITION"], [["a-very-long-name-of-a-node", "idle", "debug"]], free=["NODE"])
    assert name.rstrip("…") in out.getvalue()
    assert ("…" in out.getvalue()) == name.endswith("…")


def test_a_shape_reads_as_words() -> None:
    assert up.describe(MACHINE._replace(memory=65536)) == "1 node (cn01) with 16 CPUs, 64G of memory, 2 GPUs (a100)"
    four = shape.emulated(MACHINE, nodes=4, cpus=1, memory=1024, gpus=None, gpu_type="")
    assert up.describe(four) == "4 emulated nodes (cn[01-04]) with 1 CPU, 1G of memory each"


def test_a_stop_takes_effect_only_where_it_is_heeded() -> None:
    for number, stopped in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)):
        before = signal.getsignal(number)
        with processes.held() as heed:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            begun = "a process"  # what would be lost, had the signal raised
            with pytest.raises(stopped):
                heed()
            heed()  # it was told
        assert begun and signal.getsignal(number) is before


def test_a_stop_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with processes.held() as heed:
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            heed()
    finally:
        signal.signal(signal.SIGHUP, before)
