"""`slurm setup`: what is wanted, what is there, how they differ, and with assent what is wanted. Nothing is changed before that.

The second time it finds what it wrote and changes nothing. A file that somebody else wrote or changed is shown as a difference, and copied
beside itself before it is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import msgspec

from slurm.commands.embedded import programs
from slurm.commands.embedded.console import Console
from slurm.commands.setup import part, texts
from slurm.commands.setup.machines import Here, Place, There
from slurm.commands.setup.part import CHANGED, NEW, Part, Seen
from slurm.commands.setup.plan import Secrets, names, part_of
from slurm.commands.setup.wishes import Wishes, this_host, wanted
from slurm.model.errors import ConfigError, InvalidRequest

_LONGEST = 12
"""Lines of a new file that are shown."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm setup`."""
    parser.add_argument("--cluster", default="", metavar="NAME", help="the cluster's name")
    parser.add_argument("--head", default="", metavar="HOST", help="the machine of slurmctld and slurmdbd: this one")
    parser.add_argument("--nodes", default="", metavar="LIST",
        help="machines that run jobs, such as nd[01-04]; this one, if it is none of many")
    parser.add_argument("--login", default="", metavar="LIST", help="machines from which people submit and that run no jobs")
    parser.add_argument("--address", action="append", default=[], metavar="NAME=ADDRESS",
        help="where a machine is reached, if not by its name")
    parser.add_argument("--database", default="", metavar="KIND", help="where accounting goes: sqlite, postgresql, mariadb, none")
    parser.add_argument("--database-host", default="localhost", metavar="HOST")
    parser.add_argument("--database-name", default="slurm_acct_db", metavar="NAME")
    parser.add_argument("--database-user", default="slurm", metavar="USER",
        help="its password: $SLURM_SETUP_STORAGE_PASS, else by socket or peer")
    parser.add_argument("--user", default="", metavar="USER",
        help="SlurmUser; made where it is not there (default: slurm, without root yourself)")
    parser.add_argument("--prefix", default="", metavar="DIR", help="have every file below DIR, also without being root")
    parser.add_argument("--root", default="", metavar="DIR", help="write into the image of a machine below DIR; nothing is started")
    parser.add_argument("--controller-port", type=int, default=6817, metavar="PORT")
    parser.add_argument("--node-port", type=int, default=6818, metavar="PORT")
    parser.add_argument("--database-port", type=int, default=6819, metavar="PORT")
    parser.add_argument("--no-start", action="store_true", help="write only")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="ask nothing; write")
    parser.add_argument("--part", choices=["machine", "look", "apply", "start"], help=argparse.SUPPRESS)
    parser.add_argument("--part-file", default="", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Set it up."""
    if options.part:
        return _part(options, console)
    asks = not options.yes and not options.dry_run
    if asks and (options.json or not sys.stdin.isatty()):
        raise InvalidRequest(message="nobody is there to ask", hints=["--dry-run shows what would be written, --yes writes it"])
    wishes = wanted(options, console, ask=asks)
    if wishes.head != this_host() and not options.root:
        raise InvalidRequest(message=f"--head={wishes.head}: this machine is {this_host()}", hints=[
            f"run `slurm setup` on {wishes.head}, which has the cluster's key and gives the others their certificates"])
    places = _places(wishes, options.root)
    try:
        return _set_up(wishes, places, options, console)
    finally:
        for place in places.values():
            if isinstance(place, There):
                place.close()


def _places(wishes: Wishes, root: str) -> dict[str, Place]:
    return {name: Here() if name == wishes.head or root else There(name, wishes.address(name)) for name in names(wishes)}


def _set_up(wishes: Wishes, places: Mapping[str, Place], options: argparse.Namespace, console: Console) -> int:
    machines = {name: place.machine(wishes.user) for name, place in places.items()}
    for name, has in machines.items():
        if name != wishes.head and 0 <= has.uid != machines[wishes.head].uid:
            raise ConfigError(message=f"SlurmUser {wishes.user} has uid {has.uid} on {name} and {machines[wishes.head].uid} on "
                                      f"{wishes.head}", hints=[
                "give it one uid everywhere (usermod -u), and let users come from one directory"])
    folder = programs.folder((sys.executable, sys.argv[0]), "slurmctld")  # on PATH may be a real Slurm's
    parts = {name: part_of(wishes, name, machines, folder, options.root) for name in places}
    if options.root:
        parts = {wishes.head: parts[wishes.head]}
    seen = {name: places[name].look(one) for name, one in parts.items()}
    _show(console, wishes, parts, seen)
    differing = [name for name in parts if seen[name].differs]
    if options.dry_run or not differing:
        return _done(console, wishes, seen, [], changed=False, dry=options.dry_run)
    if not options.yes and not console.agreed("Write this?"):
        console.line("Nothing was changed.")
        return 1
    secrets = Secrets(wishes, options.root)
    backups = []
    for name in differing:
        one = parts[name]
        secrets.fill(one, wishes, name, {path for path, state in seen[name].states.items() if state == NEW})
        backups += [f"{name}:{path}" for path in places[name].apply(one)]
        console.line(f"{name}: written")
    if not options.root and not options.no_start:
        _start(console, places, parts, machines, differing)
    return _done(console, wishes, seen, backups, changed=True, dry=False)


def _start(console: Console, places: Mapping[str, Place], parts: Mapping[str, Part], machines: Mapping[str, texts.Machine],
        names: list[str]) -> None:
    for name in names:
        units = list(parts[name].units)
        if machines[name].systemd:
            places[name].start(units)
            console.line(f"{name}: {', '.join(units)} started, and will be at every boot")
        else:
            console.line(f"{name}: systemd does not run there; start {', '.join(units)} yourself")


def _show(console: Console, wishes: Wishes, parts: Mapping[str, Part], seen: Mapping[str, Seen]) -> None:
    """What would be done, machine by machine; a file that is the same as on an earlier machine is not shown again."""
    shown: set[tuple[str, tuple[str, ...]]] = set()
    for name, one in seen.items():
        if not one.differs:
            console.line(f"{name}: everything is as it shall be")
            continue
        console.line(f"{name}:")
        if one.makes_user:
            console.line(f"  user {parts[name].user} is made")
        for path in one.folders:
            console.line(f"  folder {path}")
        for file in parts[name].files:
            state = one.states[file.path]
            if state not in (NEW, CHANGED):
                continue
            console.line(f"  {state} {file.path} (mode {file.mode:04o}, of {file.owner})" + (", a copy of what is there is kept"
                if state == CHANGED else ""))
            lines = tuple(one.differences.get(file.path, ()))
            if (file.path, lines) in shown or file.path.endswith(".service"):
                continue
            shown.add((file.path, lines))
            longest = _LONGEST if state == NEW and not file.path.endswith("/slurm.conf") else len(lines)
            for line in lines[:longest]:
                console.line(f"    {line}")
            if len(lines) > longest:
                console.line(f"    … {len(lines) - longest} further lines")


def _done(console: Console, wishes: Wishes, seen: Mapping[str, Seen], backups: list[str], *, changed: bool, dry: bool) -> int:
    conf = f"{wishes.places.etc}/slurm.conf"
    if console.json:
        console.answer({"conf": conf, "changed": changed, "backups": backups, "machines": {name: {
            "files": one.states, "folders": one.folders} for name, one in seen.items()}})
        return 0
    for backup in backups:
        console.line(f"Kept: {backup}")
    if not changed:
        console.line("Nothing was changed.")
        return 0
    for line in texts.statements(wishes):
        console.line(f"In the database server, unless it is there: {line}")
    console.line("Now:  " + ("" if not wishes.places.prefix else f"export SLURM_CONF={conf};  ") + "slurm doctor" + (
        " --nodes" if len(seen) > 1 else "") + ";  sinfo;  srun hostname")
    return 0


def _part(options: argparse.Namespace, console: Console) -> int:
    """What `slurm setup` of another machine has done here."""
    if options.part == "machine":
        answer: object = part.machine(options.user)
    else:
        try:
            with open(options.part_file, "rb") as file:
                wanted_part = msgspec.json.decode(file.read(), type=Part)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ConfigError(message=f"cannot read {options.part_file}: {error}") from error
        if options.part == "look":
            answer = part.look(wanted_part)
        elif options.part == "apply":
            answer = part.apply(wanted_part)
        else:
            part.start(wanted_part.units)
            answer = []
    console.out.write(msgspec.json.encode(answer).decode() + "\n")
    return 0
