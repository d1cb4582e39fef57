"""`slurm audit`: what administrators had slurmctld do, from the files on the controller's machine; for root and SlurmUser."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping

from slurm.commands.embedded.console import Console
from slurm.config.keys import read_keys
from slurm.model.errors import ConfigError
from slurm.net.discovery import find_site, instance
from slurm.slurmctld.audit import files

MOST = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm audit`."""
    parser.add_argument("-u", "--user", default="", help="only what this user did")
    parser.add_argument("-a", "--act", default="", metavar="NAME", help="only acts of this kind, such as UpdateNode")
    parser.add_argument("-S", "--since", default="", metavar="TIME", help="only from then on: 2026-11-30, 2026-11-30T12:00")
    parser.add_argument("-n", "--lines", type=int, default=MOST, metavar="N", help=f"the last N of them (default: {MOST}; 0: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show them, the oldest first."""
    conf = instance(environ, options.name).conf if options.name else find_site(environ).conf
    folder = read_keys(conf).state_save_location
    damaged: list[str] = []
    found = [one for one in _entries(folder, damaged) if options.user in ("", one.get("user"))
        and options.act.lower() in ("", str(one.get("act")).lower())
             and str(one.get("time", "")) >= options.since]
    found = found[-options.lines:] if options.lines else found
    if damaged:
        console.note(f"what stood there cannot be read any more: {', '.join(damaged[:3])}{' …' if len(damaged) > 3 else ''}")
    if options.json:
        console.answer({"acts": found})
        return 0
    if not found:
        console.line("Nothing of that kind was done")
        return 0
    console.table(["TIME", "USER", "FROM", "ACT", "RESULT", "WHAT"], [[
        str(one["time"])[:19], str(one["user"]), str(one["from"]) or "-", str(one["act"]), str(one["result"]), _words(one["what"])]
        for one in found],
        free=["WHAT", "RESULT"])
    return 0


def _entries(folder: str, damaged: list[str]) -> Iterator[dict[str, object]]:
    """The acts; `damaged` takes where there are lines that cannot be read."""
    for path in files(folder):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    entry = _entry(line)
                    if entry is not None:
                        yield entry
                    elif line.endswith("\n"):  # the last one may be on its way
                        damaged.append(f"{path} line {number}")
        except OSError as error:
            raise ConfigError(message=f"cannot read {path}: {error.strerror}",
                hints=["it is root's and SlurmUser's, on the controller's machine"]) from error


def _entry(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() >= {"time", "user", "from", "act", "result", "what"} else None


def _words(what: object) -> str:
    if not isinstance(what, dict):
        return str(what)
    return " ".join(_words(value) if isinstance(value, dict) else f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}"
                    for key, value in what.items())
