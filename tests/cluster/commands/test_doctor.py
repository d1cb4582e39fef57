"""`slurm doctor`: a healthy machine is told healthy; each of many faults, planted in real files or in what was found out, is found by its check."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import msgspec
import pytest

from slurm.commands.doctor import gather
from slurm.commands.doctor.check import FAULT, Controller, NodeSeen, World
from slurm.commands.doctor.command import CHECKS
from slurm.commands.doctor.facts import Database, Facts, Listener
from slurm.commands.slurm import main
from slurm.config.config import load
from slurm.model.errors import ConfigError
from slurm.model.version import VERSION

HOST = os.uname().nodename
SECOND = "nd2"


class Site:
    """A machine that is controller and node, its files real, its daemons two listening sockets; and a second machine, a copy of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.ports = [one.getsockname()[1] for one in self.sockets]
        for name, mode in (("state", 0o700), ("spool", 0o755), ("log", 0o755), ("tmp", 0o1777)):
            (root / name).mkdir()
            (root / name).chmod(mode)
        self.key = root / "slurm.key"
        self.key.write_bytes(os.urandom(64))
        self.key.chmod(0o600)
        self.epilog = root / "epilog"
        self.epilog.write_text("#!/bin/sh\n")
        self.epilog.chmod(0o755)
        user = os.getuid()
        self.lines = [
            "ClusterName=lab", f"SlurmctldHost={HOST}(127.0.0.1)", "AuthType=auth/slurm", f"SlurmUser={user}", f"SlurmdUser={user}",
            f"StateSaveLocation={root}/state", f"SlurmdSpoolDir={root}/spool", f"SlurmctldLogFile={root}/log/slurmctld.log",
            f"SlurmdLogFile={root}/log/slurmd.log", f"TmpFS={root}/tmp", f"SlurmctldPidFile={root}/slurmctld.pid",
            f"SlurmdPidFile={root}/slurmd.pid", f"SlurmctldPort={self.ports[0]}", f"Epilog={self.epilog}", "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core_Memory", "DefMemPerCPU=50",
            f"NodeName=nd1 NodeHostname={HOST} NodeAddr=127.0.0.1 Port={self.ports[1]} CPUs=1 RealMemory=100",
            "PartitionName=debug Nodes=nd1 Default=YES MaxTime=60"]
        self.controller = Controller(release=VERSION, nodes=(NodeSeen("nd1", "IDLE", "", 1, 100, "26.05.0"),))

    def add(self, *lines: str) -> None:
        """Further lines of slurm.conf."""
        self.lines += lines

    def edit(self, old: str, new: str) -> None:
        """Other words in slurm.conf."""
        text = "\n".join(self.lines)
        assert old in text
        self.lines = text.replace(old, new).split("\n")

    def world(self) -> World:
        """What doctor would look at: this machine's facts as they are, but for daemons and what a test machine cannot help."""
        conf = self.root / "slurm.conf"
        conf.write_text("\n".join(self.lines) + "\n")
        problems: tuple[str, ...] = ()
        config = None
        try:
            config = load(str(conf))
        except ConfigError as error:
            problems = tuple(error.lines())
        here = gather.facts(str(conf), config, {"PATH": ""})
        here.synchronised, here.firewalls, here.selinux, here.units = True, [], False, {}
        here.commands = {"srun": "/usr/bin/srun", "sbatch": "/usr/bin/sbatch"}
        here.running = {name: os.getpid() for name in here.running}
        for disk in here.disks:
            disk.kind, disk.total, disk.free, disk.inodes_free = "ext4", 100 << 30, 50 << 30, disk.inodes
        return World(here, (here,), config, problems, self.controller)

    def close(self) -> None:
        """No daemon listens any more."""
        for one in self.sockets:
            one.close()


@pytest.fixture
def site(open_folder: Path) -> Iterator[Site]:
    found = Site(open_folder)
    yield found
    found.close()


def other(world: World, change: Callable[[Facts], None], offset: float = 0.0) -> World:
    """The cluster with a second machine, equal but for its name and what `change` does to it."""
    second = deepcopy(world.here)
    second.host, second.boot_id, second.controller, second.nodes = SECOND, "another", False, []
    change(second)
    return world._replace(machines=(world.here, second), offsets={SECOND: offset})


def found(world: World) -> list[tuple[str, str, str]]:
    """(check, severity, sentence) of everything that is found."""
    return [(check.name, one.severity, one.sentence) for check in CHECKS for one in check.run(world)]


def test_a_healthy_machine_is_told_healthy(site: Site) -> None:
    assert found(site.world()) == []


def test_two_healthy_machines_are_told_healthy(site: Site) -> None:
    assert found(other(site.world(), lambda second: None)) == []


def _key_open(site: Site) -> World:
    site.key.chmod(0o644)
    return site.world()


def _key_gone(site: Site) -> World:
    site.key.unlink()
    return site.world()


def _key_short(site: Site) -> World:
    site.key.write_bytes(b"short")
    world = site.world()
    world.here.root = True
    return world


def _state_open(site: Site) -> World:
    (site.root / "state").chmod(0o777)
    return site.world()


def _state_gone(site: Site) -> World:
    (site.root / "state").rmdir()
    return site.world()


def _state_in_memory(site: Site) -> World:
    world = site.world()
    world.here.disks[0].kind = "tmpfs"
    return world


def _state_of_somebody_else(site: Site) -> World:
    world = site.world()
    world.here.folders[0].uid = 12345
    return world


def _spool_on_nfs(site: Site) -> World:
    world = site.world()
    next(disk for disk in world.here.disks if disk.purpose == "SlurmdSpoolDir").kind = "nfs4"
    return world


def _disk_full(site: Site) -> World:
    world = site.world()
    world.here.disks[0].free = 1 << 20
    return world


def _epilog_gone(site: Site) -> World:
    site.epilog.unlink()
    return site.world()


def _epilog_not_executable(site: Site) -> World:
    site.epilog.chmod(0o644)
    world = site.world()
    if os.geteuid() == 0:
        assert world.here.programs[0].problem
    return world


def _epilog_open(site: Site) -> World:
    site.epilog.chmod(0o777)
    return site.world()


def _nobody_listens(site: Site) -> World:
    site.close()
    return site.world()


def _port_taken(site: Site) -> World:
    world = site.world()
    world.here.listeners = [Listener(site.ports[0], "nginx", "/usr/sbin/nginx")]
    return world


def _edited(*changes: str) -> Callable[[Site], World]:
    def plant(site: Site) -> World:
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            site.edit(old, new)
        return site.world()

    return plant


def _added(*lines: str) -> Callable[[Site], World]:
    def plant(site: Site) -> World:
        site.add(*(line.format(host=HOST, root=site.root) for line in lines))
        return site.world()

    return plant


def _seen(state: str, reason: str) -> Callable[[Site], World]:
    def plant(site: Site) -> World:
        site.controller = Controller(release=VERSION, nodes=(NodeSeen("nd1", state, reason, 1, 100, "26.05.0"),))
        return site.world()

    return plant


def _second(change: Callable[[Facts], None], offset: float = 0.0) -> Callable[[Site], World]:
    return lambda site: other(site.world(), change, offset)


def _set(**values: object) -> Callable[[Facts], None]:
    def change(facts: Facts) -> None:
        for name, value in values.items():
            setattr(facts, name, value)

    return change


def _here(**values: object) -> Callable[[Site], World]:
    def plant(site: Site) -> World:
        world = site.world()
        _set(**values)(world.here)
        return world

    return plant


def _other_conf(facts: Facts) -> None:
    facts.files[0].digest = "another"


def _other_uid(facts: Facts) -> None:
    facts.accounts = {**facts.accounts, "ada": (1702, 1702)}


def _ada(site: Site) -> World:
    world = site.world()
    world.here.accounts = {**world.here.accounts, "ada": (1701, 1701)}
    return other(world, _other_uid)


def _device_gone(site: Site) -> World:
    site.edit("CPUs=1 RealMemory=100", "CPUs=1 RealMemory=100 Gres=gpu:1")
    site.add("GresTypes=gpu")
    (site.root / "gres.conf").write_text("Name=gpu File=/dev/not-there0\n")
    return site.world()


def _cgroups(site: Site) -> World:
    site.add("TaskPlugin=task/cgroup")
    (site.root / "cgroup.conf").write_text("ConstrainRAMSpace=yes\nCgroupMountpoint=/nowhere\n")
    return site.world()


def _database_down(site: Site) -> World:
    site.add("AccountingStorageType=accounting_storage/slurmdbd", f"AccountingStorageHost={HOST}", f"AccountingStoragePort={site.ports[0]}")
    (site.root / "slurmdbd.conf").write_text("StorageType=accounting_storage/sqlite\nStorageLoc=/dev/null\n")
    (site.root / "accounting.db").write_text("this is no database, and long enough to be taken for one by nobody")
    (site.root / "slurmdbd.conf").write_text(f"StorageType=accounting_storage/sqlite\nStorageLoc={site.root}/accounting.db\n")
    return site.world()


def _password_open(site: Site) -> World:
    site.add("AccountingStorageType=accounting_storage/slurmdbd", f"AccountingStorageHost={HOST}", f"AccountingStoragePort={site.ports[0]}")
    conf = site.root / "slurmdbd.conf"
    conf.write_text("StorageType=accounting_storage/postgresql\nStorageHost=127.0.0.1\nStoragePort=1\nStorageUser=slurm\nStoragePass=x\n")
    conf.chmod(0o644)
    return site.world()


NODE = "NodeName=nd1 NodeHostname"
FAULTS: dict[str, tuple[str, str, Callable[[Site], World]]] = {
    "a word that is no key": ("configuration", "Nonsense", _added("Nonsense=1")),
    "jobs get whole nodes": ("default-memory", "DefMemPerCPU", _edited("DefMemPerCPU=50", "", "CPUs=1 RealMemory=100", "CPUs=2 RealMemory=100")),
    "no RealMemory": ("real-memory", "nd1 has no RealMemory", _edited("RealMemory=100", "")),
    "two nodes in one spool": ("spool-shared", "share SlurmdSpoolDir", _added("NodeName=nd9 NodeHostname={host} NodeAddr=127.0.0.1 RealMemory=100")),
    "two nodes at one port": ("port-conflicts", "at port 6818", _added(
        "NodeName=nd[8-9] NodeHostname={host} NodeAddr=127.0.0.1 RealMemory=100 Port=6818")),
    "a spool on NFS": ("spool-shared", "nfs4", _spool_on_nfs),
    "no default partition": ("partitions", "no partition is the default", _edited("Default=YES", "")),
    "a default time above the limit": ("partitions", "above its MaxTime", _edited("MaxTime=60", "MaxTime=60 DefaultTime=90")),
    "a node without a partition": ("partitions", "nd7 is in no partition", _added("NodeName=nd7 NodeAddr=127.0.0.1 RealMemory=100 Port=7")),
    "arrays above the number of jobs": ("limits", "MaxArraySize", _added("MaxJobCount=100", "MaxArraySize=1001")),
    "limits without a database": ("limits", "without a database", _added("AccountingStorageEnforce=limits")),
    "an impatient controller": ("limits", "SlurmdTimeout", _added("SlurmdTimeout=10")),
    "a key that others read": ("key", "mode 0644", _key_open),
    "no key": ("key", "is not there", _key_gone),
    "a key that is none": ("key", "5 bytes", _key_short),
    "munged away": ("munge", "munged does not answer", _edited("AuthType=auth/slurm", "AuthType=auth/munge\nAuthInfo=socket=/nowhere")),
    "state open to others": ("folders", "others may write there", _state_open),
    "no state folder": ("folders", "is not there", _state_gone),
    "state in memory": ("folders", "lies in memory", _state_in_memory),
    "state of somebody else": ("folders", "belongs to uid 12345", _state_of_somebody_else),
    "a full disk": ("disks", "1 MB are left", _disk_full),
    "more CPUs than there are": ("hardware", "4096 CPUs", _edited("CPUs=1", "CPUs=4096")),
    "more memory than there is": ("hardware", "RealMemory=99999999", _edited("RealMemory=100", "RealMemory=99999999")),
    "a GPU that is not there": ("gpus", "/dev/not-there0", _device_gone),
    "a GPU that nobody can ask for": ("gpus", "has 1 GPUs", _here(gpu_files=["/dev/nvidia0"])),
    "cgroups that are not there": ("cgroups", "no cgroup file system is mounted below /nowhere", _cgroups),
    "a name without an address": ("names", "no-such-host.invalid has no address", _added(
        "NodeName=nd9 NodeAddr=no-such-host.invalid Port=9", "PartitionName=p2 Nodes=nd9")),
    "another program at the port": ("ports-taken", "taken by nginx", _port_taken),
    "an epilog that is not there": ("programs", "is not there", _epilog_gone),
    "an epilog that cannot be run": ("programs", "cannot be executed", _epilog_not_executable),
    "an epilog that others change": ("programs", "others may change", _epilog_open),
    "no srun": ("commands", "srun, sbatch is not on PATH", _here(commands={})),
    "commands of two Slurms": ("commands", "another Slurm", _here(other_slurm=["sbatch"])),
    "a unit that is not enabled": ("system", "not enabled", _here(units={"slurmd": "disabled"})),
    "a clock that is ahead": ("clocks", "90 s ahead", _second(_set(), 90.0)),
    "another time zone": ("time-zone", "CET", _second(_set(zone="CET +0100"))),
    "a user of two uids": ("users", "user ada has uid 1702", _ada),
    "no SlurmUser on a node": ("users", "does not exist here", _second(_set(slurm_uid=None))),
    "another key": ("key-equal", "another than that", _second(_set(key_id="another"))),
    "another version": ("versions", "slurm-py 0.0.1", _second(_set(version="0.0.1"))),
    "another slurm.conf": ("configuration-equal", "slurm.conf says something else", _second(_other_conf)),
    "one machine under two names": ("one-machine-twice", "are one machine", lambda site: other(site.world(), _set(boot_id=gather.kernel.boot_id()))),
    "a machine that does not answer": ("asked", "No route", lambda site: site.world()._replace(silent={SECOND: "No route to host"})),
    "a daemon that does not run": ("daemons", "slurmd does not run", _here(running={"slurmd": 0})),
    "no controller": ("controller", "does not answer", lambda site: site.world()._replace(controller=Controller(problem="refused"))),
    "closed ports": ("ports", "cannot be reached", _nobody_listens),
    "a node that is down": ("nodes", "down: Not responding", _seen("DOWN", "Not responding")),
    "a node of less memory": ("nodes", "Low RealMemory", _seen("IDLE+DRAIN", "Low RealMemory (reported:90 < 100)")),
    "a database that is none": ("database", "cannot be read as SQLite", _database_down),
    "a schema of a newer version": ("database", "schema 99", _here(database=Database("x", version=99, known=4))),
    "a password that others read": ("secrets", "slurmdbd.conf", _password_open),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_its_check_and_says_what_to_do(name: str, site: Site) -> None:
    check, words, plant = FAULTS[name]
    world = plant(site)
    told = [one for each in CHECKS if each.name == check for one in each.run(world)]
    assert any(words in one.sentence for one in told), found(world)
    assert all(one.advice and "\n" not in one.sentence for one in told)


def test_facts_travel_as_json_and_come_back_the_same(site: Site) -> None:
    here = site.world().here
    assert msgspec.json.decode(msgspec.json.encode(here), type=Facts) == here


def test_no_fact_holds_the_key_or_a_password(site: Site) -> None:
    site.key.write_bytes(b"TOP-SECRET-KEY-0123456789-0123456789")
    world = _password_open(site)
    said = msgspec.json.encode(world.here)
    assert b"TOP-SECRET" not in said and b"StoragePass" not in said


def test_only_faults_make_an_exit_status_unless_all_is_to_be_well(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.edit("Default=YES", "")
    site.world()
    words = ["doctor", "partitions", "-f", str(site.root / "slurm.conf")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "WARNING" in said and "Default=YES" in said and "1 check of" in said
    assert main([*words, "--strict"]) == 1
    capsys.readouterr()
    assert main(["doctor", "key", "-f", str(site.root / "slurm.conf")]) == 0
    site.key.chmod(0o640)
    assert main(["doctor", "key", "-f", str(site.root / "slurm.conf"), "--json"]) == 1
    assert f'"severity": "{FAULT}"' in capsys.readouterr().out


def test_a_check_that_there_is_not_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "clock"]) == 1
    assert "did you mean clocks?" in capsys.readouterr().err


def test_every_check_is_planted_at_least_once() -> None:
    assert {check.name for check in CHECKS} == {check for check, _, _ in FAULTS.values()}
