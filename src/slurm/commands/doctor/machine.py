"""Checks of each machine by itself: key, folders, disks, hardware, devices, cgroups, names, ports, programs."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.commands.doctor.check import Check, Finding, World, fault, warning
from slurm.commands.doctor.facts import Facts, File
from slurm.commands.doctor.kernel import is_loopback

MB = 1 << 20
NEARLY, FULL = 0.90, 0.97
LEAST_FREE = 200 * MB
OPEN_FILES = 4096
VOLATILE = frozenset({"tmpfs", "ramfs"})


def _key(world: World) -> Iterator[Finding]:
    if world.config is None or world.config.text("AuthType").lower() != "auth/slurm":
        return
    for machine in world.machines:
        key = machine.key
        if key is None:
            continue
        if not key.exists and not key.problem and not machine.certificates and (machine.controller or machine.nodes):
            yield fault(machine.where, f"{key.path} is not there, nor a certificate instead: daemons here cannot prove who they are",
                        f"copy it from the controller's machine (mode 0600), or run `slurm cert make` there; for a new cluster: "
                        f"dd if=/dev/random of={key.path} bs=1024 count=1; chmod 0600 {key.path}")
        elif key.exists and key.mode & 0o077:
            yield fault(machine.where, f"{key.path} has mode {key.mode:04o}: who reads it can speak as any daemon and any user",
                        f"chmod 0600 {key.path}; if others could have read it: slurm cert rotate begin")
        elif key.exists and key.uid not in (0, machine.slurm_uid):
            yield fault(machine.where, f"{key.path} belongs to uid {key.uid}, neither root nor SlurmUser: daemons refuse it",
                        f"chown {world.config.text('SlurmUser') or 'root'} {key.path}")
        elif key.problem and machine.root:
            yield fault(machine.where, key.problem, "put the key there that the other machines have")
        for file in machine.certificates:
            if file.exists and file.mode & 0o077:
                yield fault(machine.where, f"{file.path} ({file.purpose}) has mode {file.mode:04o}: others can read it",
                    f"chmod 0600 {file.path}")


def _munge(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        if machine.munge:
            yield fault(machine.where, machine.munge, "systemctl start munge; the same /etc/munge/munge.key (mode 0400, of user munge) "
                                                      "has to "
                                                      "be on every machine")


def _secrets(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for file in machine.secrets:
            if not file.exists and not file.problem:
                yield fault(machine.where, f"{file.path} ({file.purpose}) is not there",
                    "`slurm setup` writes it, or copy it from a backup")
            elif file.exists and file.mode & 0o077:
                yield fault(machine.where, f"{file.path} ({file.purpose}) has mode {file.mode:04o}: it holds a secret that others can read",
                            f"chmod 0600 {file.path}")
            elif file.exists and file.uid not in (0, machine.slurm_uid):
                yield fault(machine.where, f"{file.path} ({file.purpose}) belongs to uid {file.uid}, neither root nor SlurmUser",
                            f"chown {world.config.text('SlurmUser') if world.config else 'root'} {file.path}")


def _folders(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for folder in machine.folders:
            if not (world.embedded and folder.purpose == "TmpFS"):  # its jobs are one user's
                yield from _folder(machine, folder)
        for disk in machine.disks:
            if disk.purpose == "StateSaveLocation" and disk.kind in VOLATILE and not world.embedded:
                yield fault(machine.where, f"StateSaveLocation {disk.path} lies in memory ({disk.kind}): every job is forgotten at the "
                                           "next boot",
                            "put it on a disk, /var/spool/slurmctld")


def _folder(machine: Facts, folder: File) -> Iterator[Finding]:
    if not folder.exists:
        if folder.purpose in ("StateSaveLocation", "TmpFS"):
            yield fault(machine.where, f"{folder.purpose} {folder.path} is not there{f': {folder.problem}' if folder.problem else ''}",
                        f"mkdir -p {folder.path}" + ("; chown it to SlurmUser; chmod 0700" if folder.purpose != "TmpFS" else ""))
        return
    if folder.purpose == "TmpFS":
        if folder.mode & 0o1777 != 0o1777:
            yield warning(machine.where, f"TmpFS {folder.path} has mode {folder.mode:04o}: not every user can write there",
                          f"chmod 1777 {folder.path}")
        return
    if folder.mode & 0o022:
        yield fault(machine.where, f"{folder.purpose} {folder.path} has mode {folder.mode:04o}: others may write there, and so put files "
                                   "of "
                    "theirs in place of the daemon's", f"chmod go-w {folder.path}")
    elif folder.purpose == "StateSaveLocation" and folder.mode & 0o005:
        yield warning(machine.where, f"StateSaveLocation {folder.path} has mode {folder.mode:04o}: everybody may look into it, where "
                                     "scripts "
                      "and environments of jobs lie", f"chmod 0700 {folder.path}")
    if folder.purpose == "StateSaveLocation" and machine.slurm_uid is not None and folder.uid not in (0, machine.slurm_uid):
        yield fault(machine.where, f"StateSaveLocation {folder.path} belongs to uid {folder.uid}, not to SlurmUser (uid "
                                   f"{machine.slurm_uid})",
                    f"chown -R to SlurmUser: chown -R {machine.slurm_uid} {folder.path}")


def _disks(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        told: set[tuple[int, int]] = set()
        for disk in machine.disks:
            if not disk.total or (disk.total, disk.free) in told:
                continue
            used = 1 - disk.free / disk.total
            inodes = 1 - disk.inodes_free / disk.inodes if disk.inodes else 0.0
            said = f"{disk.purpose} {disk.path}: the disk is {used:.0%} full, {disk.free // MB} MB are left"
            advice = "remove what is not needed, or move it to a larger disk; rotate logs; slurmctld stops taking jobs when it cannot write"
            if used >= FULL or disk.free < min(LEAST_FREE, disk.total // 10):
                told.add((disk.total, disk.free))
                yield fault(machine.where, said, advice)
            elif used >= NEARLY:
                told.add((disk.total, disk.free))
                yield warning(machine.where, said, advice)
            elif inodes >= NEARLY:
                yield warning(machine.where, f"{disk.purpose} {disk.path}: {inodes:.0%} of the disk's inodes are used",
                    "remove small files")


def _hardware(world: World) -> Iterator[Finding]:
    if world.config is None or world.emulated:
        return
    for machine in world.machines:
        for name in machine.nodes:
            node = world.config.nodes_by_name[name]
            advice = f"write what `slurmd -C` prints there into the NodeName line, then `scontrol reconfigure` and resume {name}"
            if machine.cpus and node.cpus > machine.cpus:
                yield fault(machine.where, f"{name} is configured with {node.cpus} CPUs, and the machine has {machine.cpus}", advice)
            if machine.memory and node.real_memory > machine.memory:
                yield fault(machine.where, f"{name} is configured with RealMemory={node.real_memory}, and the machine has "
                                           f"{machine.memory} MB",
                            advice)


def _gpus(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for line in machine.devices_missing:
            yield fault(machine.where, line, "load the driver (nvidia-smi shows whether it works), or correct File= in gres.conf")
        if world.config is not None and machine.gpu_files and not world.emulated:
            without = [name for name in machine.nodes if "gpu" not in world.config.nodes_by_name[name].gres]
            if without:
                yield warning(machine.where, f"{without[0]} has {len(machine.gpu_files)} GPUs ({machine.gpu_files[0]} …) that its "
                                             "NodeName line "
                              "does not name: jobs cannot ask for them, and all share them", "write Gres=gpu:… and a line of gres.conf")


def _cgroups(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for line in machine.cgroup_problems:
            yield fault(machine.where, f"{line}: slurmd does not start", "boot with systemd.unified_cgroup_hierarchy=1, give slurmd's unit "
                        "Delegate=yes, or take the Constrain line out of cgroup.conf")


def _names(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or world.embedded:
        return
    for machine in world.machines:
        lost = [name for name, addresses in machine.names.items() if not addresses]
        for name in lost[:10]:
            yield fault(machine.where, f"{name} has no address here", f"add it to /etc/hosts or the name service, or write NodeAddr= or "
                        f"SlurmctldHost={name}(ADDRESS) into slurm.conf")
        if len(lost) > 10:
            yield fault(machine.where, f"{len(lost) - 10} further names have no address here", "add them to /etc/hosts or the name service")
        for name, addresses in machine.names.items():
            if world.many and addresses and all(map(is_loopback, addresses)) and name not in ("localhost",) and not is_literal(name):
                yield fault(machine.where, f"{name} is {addresses[0]} here, which other machines cannot reach: daemons would tell them so",
                            f"take {name} out of the 127.… line of /etc/hosts and give it its network address")


def is_literal(name: str) -> bool:
    """Whether a name is an address."""
    return name.replace(".", "").isdecimal() or ":" in name


def _ports(world: World) -> Iterator[Finding]:
    config = world.config
    if config is None or world.embedded:
        return
    for machine in world.machines:
        wanted = {config.slurmctld_port: "slurmctld"} if machine.controller else {}
        wanted |= {config.nodes_by_name[name].port: f"the slurmd of {name}" for name in machine.nodes}
        for listener in machine.listeners:
            program = listener.program  # ours call themselves slurm…, and run Python's file
            ours = program.startswith("slurm") or listener.executable.rpartition("/")[2].startswith(("python", "slurm"))
            if listener.port in wanted and program and not ours:
                yield fault(machine.where, f"port {listener.port} of {wanted[listener.port]} is taken by {program}",
                            "end that program, or set SlurmctldPort, SlurmdPort or the node's Port to a free one everywhere")


def _programs(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        for file in machine.programs:
            if not file.exists:
                # sendmail of a machine without mail is no fault: jobs run
                found = warning if file.purpose == "MailProg" else fault
                yield found(machine.where, f"{file.purpose}={file.path} is not there", "install it, or take the line out of slurm.conf")
            elif file.problem:
                yield fault(machine.where, f"{file.purpose}={file.path}: {file.problem}", f"chmod 0755 {file.path}")
            elif file.mode & 0o022:
                yield fault(machine.where, f"{file.purpose}={file.path} has mode {file.mode:04o}: others may change what the daemon runs",
                            f"chmod go-w {file.path}")


def _system(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        if machine.firewalls and world.many:
            yield warning(machine.where, f"{' and '.join(machine.firewalls)} filters connections: daemons need SlurmctldPort and "
                                         "SlurmdPort, and "
                          "nodes any free port of srun's machine", "allow the cluster's machines to reach each other")
        if machine.selinux:
            yield warning(machine.where, "SELinux enforces its policy, in which our daemons have no place of their own",
                          "if a daemon is refused something: ausearch -m avc -ts recent; run them unconfined")
        if machine.controller and machine.open_files and world.config is not None and machine.open_files < max(
                OPEN_FILES if world.many else 0, len(world.config.nodes) * 2):
            yield warning(machine.where, f"a process may have {machine.open_files} open files, for {len(world.config.nodes)} nodes",
                          "LimitNOFILE=65536 in slurmctld's unit")
        for unit, state in machine.units.items():
            daemon = next((name for name in machine.running if name.split()[0] == unit), "")
            if state == "disabled" and machine.running.get(daemon):
                yield warning(machine.where, f"{unit} runs and is not enabled: it will not come back after a reboot",
                    f"systemctl enable {unit}")


def _commands(world: World) -> Iterator[Finding]:
    for machine in world.machines:
        missing = [name for name in ("srun", "sbatch") if name not in machine.commands]
        if missing and (machine.nodes or machine.controller):
            yield warning(machine.where, f"{', '.join(missing)} is not on PATH here: job scripts that call it fail",
                          "put the folder of the commands on PATH for everybody: a file in /etc/profile.d")
        others = {name in machine.other_slurm for name in machine.commands}
        if others == {True, False}:
            ours = [name for name in machine.commands if name not in machine.other_slurm]
            yield warning(machine.where, f"of the commands on PATH {', '.join(machine.other_slurm)} belong to another Slurm, "
                                         f"{', '.join(ours)} to "
                          "this one", "put the folder of the one that is meant first on PATH")


CHECKS = (
    Check("key", "slurm.key is there, secret, and belongs to root or SlurmUser; or a certificate instead", _key),
    Check("munge", "munged answers where AuthType=auth/munge", _munge),
    Check("secrets", "slurmdbd.conf and the key of web tokens are there and secret", _secrets),
    Check("folders", "state, spool, log and temporary folders: there, their owners', closed to others, not in memory", _folders),
    Check("disks", "state, spool, logs and temporary files have room", _disks),
    Check("hardware", "nodes have the CPUs and the memory that they are configured with", _hardware),
    Check("gpus", "the devices of gres.conf are there, and GPUs that are there are configured", _gpus),
    Check("cgroups", "the kernel can hold jobs to what cgroup.conf asks", _cgroups),
    Check("names", "every NodeName, NodeAddr and SlurmctldHost has an address that others can reach", _names),
    Check("ports-taken", "the daemons' ports are not another program's", _ports),
    Check("programs", "prologs, epilogs and other programs of slurm.conf are there, can be run, and changed by nobody", _programs),
    Check("commands", "srun and sbatch are on PATH and of one Slurm", _commands),
    Check("system", "firewalls, SELinux, open files, units that are enabled", _system),
)
