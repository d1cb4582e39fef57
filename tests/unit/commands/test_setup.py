"""`slurm setup`: the texts that it writes say what was wanted, a second run changes nothing, what others wrote is kept beside."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import msgspec
import pytest

from slurm.commands.doctor import configuration
from slurm.commands.doctor.check import World
from slurm.commands.doctor.facts import Facts
from slurm.commands.setup import part, texts
from slurm.commands.setup.machines import There
from slurm.commands.setup.part import CHANGED, KEPT, NEW, SAME, File, Folder, Part, Seen
from slurm.commands.setup.plan import Secrets, part_of
from slurm.commands.setup.texts import Gpus, Machine
from slurm.commands.setup.wishes import Database, Places, Wishes, this_host
from slurm.commands.slurm import main
from slurm.config.config import load
from slurm.config.slurmdbd import parse_slurmdbd
from slurm.model.errors import ConfigError
from slurm.net.certificates import files_of
from slurm.net.certificates import load as credentials

ME = pwd.getpwuid(os.geteuid()).pw_name
BIG = Machine("big.example.org", cpus=64, sockets=2, cores_per_socket=16, threads_per_core=2, memory=256_000,
              gpus=[Gpus("a100", ["/dev/nvidia0", "/dev/nvidia1"])], confines=True)
SMALL = Machine("small", cpus=8, sockets=1, cores_per_socket=8, memory=16_000, confines=True)
WISHES = Wishes("lab", "head", ("big", "small"), ("login",), ME, Database(), Places(), {"big": "10.0.0.2"})
MACHINES = {"big": BIG, "small": SMALL, "head": SMALL, "login": SMALL}


def written(folder: Path, wishes: Wishes, machines: dict[str, Machine]) -> str:
    for name, text in (("slurm.conf", texts.slurm_conf(wishes, machines)), ("gres.conf", texts.gres_conf(wishes, machines)),
                       ("cgroup.conf", texts.cgroup_conf(wishes, machines))):
        if text:
            (folder / name).write_text(text)
    return str(folder / "slurm.conf")


def test_what_is_written_is_read_without_a_warning_and_says_what_the_machines_have(tmp_path: Path) -> None:
    config = load(written(tmp_path, WISHES, MACHINES))
    assert config.warnings == []
    big, small = config.nodes
    assert (big.name, big.addr, big.cpus, big.sockets, big.threads_per_core, big.gres) == ("big", "10.0.0.2", 64, 2, 2, "gpu:a100:2")
    assert small.real_memory == 16_000 - 512 and big.real_memory == 256_000 - 5_120
    assert [device.file for device in config.devices("big")] == ["/dev/nvidia0", "/dev/nvidia1"] and config.devices("small") == []
    assert config.cgroup.ram and config.cgroup.devices and config.uses_cgroups
    assert config.text("AccountingStorageHost") == "head" and config.controllers[0].host == "head"


def test_the_doctor_has_nothing_against_what_is_written(tmp_path: Path) -> None:
    conf = written(tmp_path, WISHES, MACHINES)
    here = Facts("head", conf=conf)
    assert [one for check in configuration.CHECKS for one in check.run(World(here, (here,), load(conf)))] == []


def test_where_a_kernel_cannot_confine_no_cgroup_is_asked_for(tmp_path: Path) -> None:
    config = load(written(tmp_path, WISHES, {**MACHINES, "small": Machine("small", cpus=2, sockets=2, memory=4000)}))
    assert not config.uses_cgroups and not (tmp_path / "cgroup.conf").exists() and config.warnings == []


@pytest.mark.parametrize(("kind", "storage"), [("sqlite", "sqlite"), ("postgresql", "postgresql"), ("mariadb", "mysql")])
def test_each_database_has_its_slurmdbd_conf(kind: str, storage: str) -> None:
    conf = parse_slurmdbd(texts.slurmdbd_conf(WISHES._replace(database=Database(kind, password="x"))))
    assert conf.storage_kind == storage and conf.warnings == []
    assert bool(conf.text("StoragePass")) == (kind != "sqlite")


def test_nodes_get_a_certificate_and_never_the_key(tmp_path: Path) -> None:
    secrets = Secrets(WISHES, str(tmp_path))
    for name, role in (("small", "slurmd"), ("login", "sackd")):
        one = part_of(WISHES, name, MACHINES, "/usr/sbin", str(tmp_path / name))
        one.user = ME
        secrets.fill(one, WISHES, name, set())
        assert all(secrets.key not in file.content for file in one.files) and not any("slurm.key" in file.path for file in one.files)
        for file in one.files:
            file.owner = ME
        for folder in one.folders:
            folder.owner = ME
        one.folders.append(Folder("/etc/systemd/system", owner=ME))
        part.apply(one)
        found = credentials(files_of(f"{tmp_path}/{name}/etc/slurm/slurm.key", role, {}, name), "lab", role, name, {os.geteuid()})
        assert found.own is not None
    assert {"slurm.key", "jwt_hs256.key", "slurmdbd.conf"} <= {os.path.basename(file.path) for file in part_of(WISHES, "head", MACHINES, "/usr/sbin").files}


def test_a_second_run_finds_everything_and_what_was_changed_by_hand_is_copied_first(tmp_path: Path) -> None:
    wanted = Part(str(tmp_path), ME, folders=[Folder("/etc", 0o750, ME)], files=[
        File("/etc/a.conf", b"one\ntwo\n", owner=ME), File("/etc/key", b"secret", 0o600, ME, once=True, secret=True)])
    assert part.look(wanted).states == {"/etc/a.conf": NEW, "/etc/key": NEW} and part.look(wanted).differences["/etc/key"] == []
    assert part.apply(wanted) == []
    assert stat.S_IMODE((tmp_path / "etc/key").stat().st_mode) == 0o600 and stat.S_IMODE((tmp_path / "etc").stat().st_mode) == 0o750
    seen = part.look(wanted)
    assert seen.states == {"/etc/a.conf": SAME, "/etc/key": KEPT} and not seen.differs
    (tmp_path / "etc/a.conf").write_text("one\nby hand\n")
    (tmp_path / "etc/key").write_bytes(b"of the site")
    seen = part.look(wanted)
    assert seen.states == {"/etc/a.conf": CHANGED, "/etc/key": KEPT} and "-by hand" in seen.differences["/etc/a.conf"]
    backup, = part.apply(wanted)
    assert Path(backup).read_text() == "one\nby hand\n" and (tmp_path / "etc/a.conf").read_text() == "one\ntwo\n"
    assert (tmp_path / "etc/key").read_bytes() == b"of the site"


def test_the_command_shows_first_writes_with_assent_and_has_nothing_to_do_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["setup", "--prefix", str(tmp_path / "c"), "--user", ME, "--no-start"]
    assert main([*words, "--dry-run"]) == 0
    assert "+ClusterName=cluster" in capsys.readouterr().out and not (tmp_path / "c").exists()
    assert main(words) == 1
    assert "nobody is there to ask" in capsys.readouterr().err and not (tmp_path / "c").exists()
    assert main([*words, "--yes", "--cluster", "mine"]) == 0
    assert "slurm doctor" in capsys.readouterr().out
    files = {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()}
    config = load(str(tmp_path / "c/etc/slurm/slurm.conf"))
    assert config.cluster_name == "mine" and [node.name for node in config.nodes] == [this_host()]
    assert main([*words, "--yes"]) == 0
    assert "Nothing was changed." in capsys.readouterr().out
    assert files == {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()}


@pytest.mark.parametrize("answer", [
    {"host": "nd1\nTaskProlog=/tmp/evil"}, {"host": "nd1 State=DOWN"}, {"host": "nd1#"}, {"host": ""}, {"host": "nd1", "cpus": 0},
    {"host": "nd1", "memory": -1}, {"host": "nd1", "cpus": 10**12}, {"host": "nd1", "gpus": [{"type": "a\nInclude /tmp/x", "files": []}]},
    {"host": "nd1", "gpus": [{"type": "a", "files": ["/dev/nvidia0 Flags=x"]}]}, {"host": "nd1", "gpus": [{"type": "a", "files": ["/tmp/x"]}]}, []])
def test_a_machine_writes_no_line_of_its_own_into_the_files_of_all(answer: object) -> None:
    """Whoever takes over a node is that node and no more: slurm.conf of every machine has its name and its numbers."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(answer), type=Machine)
    for one in (BIG, SMALL):
        assert msgspec.json.decode(msgspec.json.encode(one), type=Machine) == one


@pytest.mark.parametrize("states", [{}, {"/etc/passwd": "new"}, {"/etc/slurm/slurm.conf": "perhaps"}])
def test_what_a_machine_tells_of_files_is_about_those_that_were_asked_for(states: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    there = There("nd1", "nd1")
    monkeypatch.setattr(there, "_with", lambda wanted, what, kind: Seen(states=states))
    with pytest.raises(ConfigError, match="nd1: .* told of other files"):
        there.look(Part(files=[File("/etc/slurm/slurm.conf", b"x")]))


def test_links_in_an_image_do_not_lead_out_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An absolute link of the image would have had root write over the files of this machine."""
    image, outside = tmp_path / "image", tmp_path / "outside"
    (image / "etc").mkdir(parents=True)
    outside.mkdir()
    (image / "etc" / "slurm").symlink_to(outside)
    assert main(["setup", "--root", str(image), "--user", ME, "--yes"]) == 1
    assert f"leads out of {image}, to {outside}" in capsys.readouterr().err and list(outside.iterdir()) == []
    (image / "etc" / "slurm").unlink()
    (image / "etc" / "slurm").symlink_to("../usr")
    (image / "usr").mkdir()
    assert main(["setup", "--root", str(image), "--user", ME, "--yes", "--json"]) == 0
    assert (image / "usr" / "slurm.conf").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a link another user's")
def test_a_folder_that_somebody_else_made_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o700)
    (tmp_path / "log").symlink_to(tmp_path / "target")
    os.lchown(tmp_path / "log", 65534, 65534)
    wanted = Part(user=ME, folders=[Folder(str(tmp_path / "log"), 0o755, ME)])
    with pytest.raises(ConfigError, match="is a link of uid 65534"):
        part.apply(wanted)
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o700
    os.lchown(tmp_path / "log", 0, 0)
    part.apply(wanted)
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o755


def test_the_image_of_a_machine_is_written_below_its_root_and_does_not_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--root", str(tmp_path), "--user", ME, "--yes", "--json"]) == 0
    text = (tmp_path / "etc/slurm/slurm.conf").read_text()
    assert "StateSaveLocation=/var/spool/slurmctld" in text and str(tmp_path) not in text
    unit = (tmp_path / "etc/systemd/system/slurmctld.service").read_text()
    assert "/slurmctld --systemd" in unit and "Environment=SLURM_CONF=/etc/slurm/slurm.conf\n" in unit and "/usr/sbin/slurmctld" not in unit
    assert (tmp_path / "var/spool/slurmctld").is_dir()


@pytest.mark.parametrize(("words", "said"), [
    (["--head", "elsewhere", "--yes"], "run `slurm setup` on elsewhere"), (["--database", "oracle", "--yes"], "none of sqlite"),
    (["--nodes", "nd[1-", "--yes"], "no host list"), (["--address", "x", "--yes"], "NAME=ADDRESS")])
def test_what_cannot_be_meant_is_refused_before_anything_is_written(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--prefix", str(tmp_path / "c"), "--user", ME, *words]) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "c").exists()
