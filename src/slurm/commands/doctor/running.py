"""Checks of what runs: daemons, ports that answer, nodes as slurmctld sees them, the accounting database."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands.doctor.check import Check, Finding, World, fault, warning
from slurm.commands.doctor.configuration import shown

BAD = ("DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "INVALID_REG", "UNKNOWN")
LOW = ("low realmemory", "low socket", "low cpu", "low core", "gres", "fewer")


def _daemons(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for daemon, pid in machine.running.items():
            if not pid:
                name = daemon.split()[0]
                yield fault(machine.where, f"{daemon} does not run", "`slurm up` starts what is missing" if world.embedded else
                            f"systemctl start {name}; `{name} -D` says on the terminal why it does not start")


def _controller(world: World) -> Iterator[Finding]:
    if world.config is not None and world.controller.problem and not world.controller.other:
        yield fault(world.here.where, f"slurmctld does not answer: {world.controller.problem}",
                    "start it on its machine; here a daemon has to run that commands go through (slurmd, or sackd on a login node)")
    if world.controller.trouble:
        yield fault(world.here.where, f"slurmctld says: {world.controller.trouble}", "its log says more")


def _ports(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for place, problem in machine.reached.items():
            if problem:
                yield fault(machine.where, f"{place} cannot be reached from here: {problem}",
                            "is the daemon running there, and does a firewall between let it through?")


def _nodes(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None:
        return
    for node in world.controller.nodes:
        reason = node.reason.lower()
        bad = [word for word in BAD if word in node.state]
        if not bad or node.name not in config.nodes_by_name:
            continue
        said = f"{node.name} is {node.state.lower()}{f': {node.reason}' if node.reason else ''}"
        if any(word in reason for word in LOW):
            yield fault(node.name, said, "correct its NodeName line by what `slurmd -C` prints there, `scontrol reconfigure`, then "
                                         "scontrol update "
                        f"NodeName={node.name} State=RESUME")
        elif bad == ["DRAIN"]:
            yield warning(node.name, said, f"when it is mended: scontrol update NodeName={node.name} State=RESUME")
        else:
            yield fault(node.name, said, f"is slurmd running there, and can it reach slurmctld? When it is mended: scontrol update "
                        f"NodeName={node.name} State=RESUME")
    others: dict[str, list[str]] = {}
    for node in world.controller.nodes:
        if node.version:
            others.setdefault(node.version, []).append(node.name)
    if len(others) > 1:
        said = ", ".join(f"{version} on {shown(names)}" for version, names in sorted(others.items()))
        yield warning("", f"slurmds are of different versions: {said}", "restart slurmd on the older ones; jobs go on meanwhile")


def _database(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        found = machine.database
        if found is None:
            continue
        if found.problem:
            yield fault(machine.where, f"the accounting database cannot be used: {found.problem}",
                        "does the server run, and are StorageHost, StorageUser and StoragePass of slurmdbd.conf right? Records wait in the "
                        "meantime, none is lost")
        elif found.version > found.known:
            yield fault(machine.where, f"{found.storage} has schema {found.version}, a newer slurm-py's; this one knows {found.known}",
                        "install the newer slurm-py, or restore the copy of the database from before the upgrade")
        elif 0 < found.version < found.known:
            yield warning(machine.where, f"{found.storage} has schema {found.version}, this slurm-py's is {found.known}",
                          "restart slurmdbd: it upgrades the schema at its start; copy the database before")


CHECKS = (
    Check("daemons", "the daemons that belong to a machine run there", _daemons),
    Check("controller", "slurmctld answers", _controller),
    Check("ports", "ports of slurmctld, slurmdbd and the slurmds can be reached from where they have to be", _ports),
    Check("nodes", "no node is down or drained, and all have one version", _nodes),
    Check("database", "the accounting database can be used and has the right schema", _database),
)
