"""`slurm doctor`: looks at this machine, or by ssh at all of the cluster, and says what is wrong and what to do.

Exit status: 0 when nothing is wrong (warnings are told), that of the check, 1, when something is. With --strict warnings count too.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import msgspec

from slurm.commands.doctor import agreement, configuration, machine, running
from slurm.commands.doctor.asking import world_of
from slurm.commands.doctor.check import FAULT, Check, Finding, World
from slurm.commands.doctor.gather import facts
from slurm.commands.embedded.console import Console
from slurm.config.config import Config, load
from slurm.model.errors import ConfigError, NotFound
from slurm.net.discovery import find_site, instance
from slurm.notation.nearest import nearest

CHECKS: tuple[Check, ...] = (*configuration.CHECKS, *machine.CHECKS, *agreement.CHECKS, *running.CHECKS)
EVERYWHERE = "ALL"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm doctor`."""
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="only these (--list names them)")
    parser.add_argument("--nodes", nargs="?", const=EVERYWHERE, default="", metavar="LIST", help=(
        "look at the machines of these nodes too, by ssh; without a list, and without checks before it, at all of the cluster's"))
    parser.add_argument("-f", "--conf", default="", metavar="FILE", help="the slurm.conf, also one of a real Slurm")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for warnings too")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell also what was found to be well")
    parser.add_argument("--list", action="store_true", help="say what each check looks at, and look at nothing")
    parser.add_argument("--facts", action="store_true", help="print what is known of this machine, as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Look, and tell."""
    wanted = _chosen(options.checks)
    if options.list:
        if options.json:
            console.answer([{"check": one.name, "looks_at": one.looks_at, "exit_status": one.status} for one in wanted])
        console.table(["CHECK", "LOOKS AT"], [[one.name, one.looks_at] for one in wanted], free=["LOOKS AT"])
        return 0
    path = options.conf or _conf(environ, options.name)
    config, problems = _read(path)
    environ = {**environ, "SLURM_CONF": path}
    here = facts(path, config, environ)
    if options.facts:
        console.out.write(msgspec.json.encode(here).decode() + "\n")
        return 0
    world = world_of(here, config, problems, environ, options.nodes)
    found = [(check, check.run(world)) for check in wanted]
    if options.json:
        console.answer(_as_json(world, found))
    else:
        _tell(console, world, found, options.verbose)
    return _status(found, options.strict)


def _chosen(names: list[str]) -> list[Check]:
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name not in known:
            close = nearest(name, list(known))
            raise NotFound(message=f"there is no check {name}", hints=[f"did you mean {close}?" if close
                else "`slurm doctor --list` names them"])
    return [known[name] for name in names] if names else list(CHECKS)


def _conf(environ: Mapping[str, str], name: str) -> str:
    return instance(environ, name).conf if name else find_site(environ).conf


def _read(path: str) -> tuple[Config | None, tuple[str, ...]]:
    try:
        return load(path), ()
    except ConfigError as error:
        return None, tuple(line.strip() for line in error.lines() if line.strip())


def _status(found: list[tuple[Check, list[Finding]]], strict: bool) -> int:
    return max((check.status for check, findings in found for one in findings if strict or one.severity == FAULT), default=0)


def _as_json(world: World, found: list[tuple[Check, list[Finding]]]) -> dict[str, object]:
    return {
        "healthy": not any(one.severity == FAULT for _, findings in found for one in findings), "conf": world.here.conf,
        "machines": [machine.where for machine in world.machines], "silent": list(world.silent),
        "checks": [{"check": check.name, "looks_at": check.looks_at, "findings": [
            {"severity": one.severity, "machine": one.where, "sentence": one.sentence, "advice": one.advice} for one in findings]}
            for check, findings in found]}


def _tell(console: Console, world: World, found: list[tuple[Check, list[Finding]]], verbose: bool) -> None:
    faults = warnings = 0
    for check, findings in found:
        if verbose and not findings:
            console.line(f"ok       {check.name}: {check.looks_at}")
        for one in findings:
            faults += one.severity == FAULT
            warnings += one.severity != FAULT
            console.line(f"{one.severity.upper():8} {check.name}{f' on {one.where}' if one.where else ''}: {one.sentence}")
            console.line(f"         → {one.advice}")
    if not world.here.root and not world.embedded:
        console.line("Not everything was looked at: root is told more.")
    if world.controller.other:
        console.line("Another Slurm's slurmctld serves this cluster: what its nodes do is not asked here, `sinfo -R` tells.")
    if world.many and len(world.machines) == 1 and not world.silent:
        console.line("Only this machine was looked at: --nodes looks at all of them by ssh.")
    number = len(world.machines)
    console.line(f"{len(found)} check{'' if len(found) == 1 else 's'} of {number} machine{'' if number == 1 else 's'}: " + (
        "healthy" if not faults + warnings else
        f"{faults} fault{'' if faults == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"))
