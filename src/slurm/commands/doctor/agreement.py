"""Checks of what machines have to agree on: clocks, time zones, users, keys, versions, configuration. They need facts of several."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands.doctor.check import Check, Finding, World, fault, warning

LITTLE, MUCH = 2.0, 60.0
MOST_TOLD = 5


def _clocks(world: World) -> Iterator[Finding]:
    advice = "run chrony or another time service on every machine"
    for machine in world.machines[1:]:
        offset = world.offsets.get(machine.where, 0.0)
        if abs(offset) >= LITTLE:
            found = fault if abs(offset) >= MUCH else warning
            yield found(machine.where, f"the clock is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} that of "
                                       f"{world.here.where}: "
                        "logs, MUNGE's credentials and files' times disagree", advice)
    unkept = [machine.where for machine in world.machines if machine.synchronised is False]
    if unkept and world.many:
        yield warning(unkept[0], f"no time service keeps the clock of {', '.join(unkept)}", advice)


def _zones(world: World) -> Iterator[Finding]:
    first = world.here
    for machine in world.machines[1:]:
        if machine.zone != first.zone:
            yield warning(machine.where, f"the time zone is {machine.zone}, that of {first.where} is {first.zone}: times in logs and in "
                                         "squeue "
                          "are told differently", "timedatectl set-timezone, the same everywhere")


def _users(world: World) -> Iterator[Finding]:
    if world.config is not None and world.here.slurm_uid is None:
        yield fault(world.here.where, f"SlurmUser={world.config.text('SlurmUser')}: there is no such user",
                    "make it with useradd, with the same uid everywhere, or set SlurmUser to a user that exists")
    # The controller's machine says who is who; without it, this one.
    head = next((machine for machine in world.machines if machine.controller), world.here)
    for machine in world.machines:
        if machine is head:
            continue
        if machine.slurm_uid is None and head.slurm_uid is not None and world.config is not None:
            yield fault(machine.where, f"SlurmUser={world.config.text('SlurmUser')} does not exist here",
                f"make it with uid {head.slurm_uid}")
        differing = [name for name, ids in machine.accounts.items() if name in head.accounts and head.accounts[name] != ids]
        for name in differing[:MOST_TOLD]:
            there, here = machine.accounts[name], head.accounts[name]
            yield fault(machine.where, f"user {name} has uid {there[0]} and gid {there[1]} here, {here[0]} and {here[1]} on {head.where}: "
                                       "jobs "
                        "run as the wrong user", "use one directory (LDAP, sssd), or the same /etc/passwd everywhere")
        by_uid = {ids[0]: name for name, ids in head.accounts.items()}
        for name, ids in machine.accounts.items():
            if ids[0] in by_uid and by_uid[ids[0]] != name and name not in differing and by_uid[ids[0]] not in machine.accounts:
                yield fault(machine.where, f"uid {ids[0]} is {name} here and {by_uid[ids[0]]} on {head.where}",
                            "use one directory (LDAP, sssd), or the same /etc/passwd everywhere")
                break
        if machine.nodes:
            absent = [name for name, ids in head.accounts.items() if name not in machine.accounts and ids[0] not in
                      {one[0] for one in machine.accounts.values()}]
            if absent:
                more = f" and {len(absent) - MOST_TOLD} others" if len(absent) > MOST_TOLD else ""
                yield warning(machine.where, f"{', '.join(absent[:MOST_TOLD])}{more} of {head.where} do not exist here: their jobs cannot "
                                             "start",
                              "make them here with the same uid, or take them from one directory (LDAP, sssd)")


def _keys(world: World) -> Iterator[Finding]:
    known = [machine for machine in world.machines if machine.key_id]
    for machine in known[1:]:
        if machine.key_id != known[0].key_id:
            yield fault(machine.where, f"slurm.key is another than that of {known[0].where} (key id {machine.key_id}, there "
                                       f"{known[0].key_id})",
                        f"copy it from {known[0].where}, mode 0600, and restart the daemons here")


def _versions(world: World) -> Iterator[Finding]:
    if world.controller.release and world.controller.release != world.here.version:
        yield warning(world.here.where, f"slurmctld is slurm-py {world.controller.release}, the commands here are {world.here.version}",
                      "restart slurmctld after an upgrade; upgrade it before the others")
    for machine in world.machines[1:]:
        if machine.version and machine.version != world.here.version:
            yield warning(machine.where, f"slurm-py {machine.version} is installed here, {world.here.version} on {world.here.where}",
                          "install the same version everywhere: slurmdbd first, then slurmctld, then nodes")


def _files(world: World) -> Iterator[Finding]:
    first = {file.purpose: file for file in world.here.files}
    for machine in world.machines[1:]:
        there = {file.purpose: file for file in machine.files}
        for name in sorted(first.keys() | there.keys()):
            one, other = first.get(name), there.get(name)
            if one is None or other is None:
                yield warning(machine.where, f"{name} is {'on ' + world.here.where if one else 'here'} and not "
                              f"{'here' if one else 'on ' + world.here.where}", "copy the configuration from the controller's machine")
            elif one.digest != other.digest:
                found = fault if name == "slurm.conf" else warning
                yield found(machine.where, f"{name} says something else than on {world.here.where}",
                            "copy the configuration from the controller's machine, then `scontrol reconfigure`")


def _asked(world: World) -> Iterator[Finding]:
    for machine, problem in world.silent.items():
        yield fault(machine, f"it could not be asked by ssh: {problem}",
            f"`ssh {machine} slurm doctor` has to work without a password, as this user")


CHECKS = (
    Check("asked", "every machine could be asked by ssh", _asked),
    Check("clocks", "clocks agree, and a time service keeps them", _clocks),
    Check("time-zone", "machines have one time zone", _zones),
    Check("users", "SlurmUser exists, and users have the same uid and gid on every machine", _users),
    Check("key-equal", "every machine has the same slurm.key", _keys),
    Check("versions", "every machine has the same version, and slurmctld runs it", _versions),
    Check("configuration-equal", "configuration files say the same on every machine", _files),
)
