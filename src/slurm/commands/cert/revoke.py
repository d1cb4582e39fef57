"""`slurm cert revoke`: a certificate that is trusted no longer, also where it is connected now."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from slurm.commands.cert.keys import Keys, serial_of
from slurm.commands.embedded.console import Console
from slurm.model.errors import InvalidRequest, NotFound

_HEX = frozenset("0123456789abcdef")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cert revoke`."""
    parser.add_argument("which", nargs="+", metavar="WHICH", help=(
        "a serial number (`slurm cert show`, or the daemon's log), a certificate's file, or ROLE NAME for every one that was made for it"))
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Write them down."""
    keys = Keys(environ)
    found = _meant(keys, options.which)
    known = keys.revoked()
    for serial, note in found.items():
        if serial not in known:
            keys.revoke(serial, note)
    if options.json:
        console.answer({"revoked": list(found)})
        return 0
    for serial, note in found.items():
        console.line(f"Revoked {serial} ({note}){', it was already' if serial in known else ''}")
    console.line(f"Daemons that read {keys.revoked_path} refuse it within seconds and end its connections. Copy the file to other "
                 "machines that have the key.")
    console.line("Who had slurm.key itself can issue more: then `slurm cert rotate` is what helps.")
    return 0


def _meant(keys: Keys, words: list[str]) -> dict[str, str]:
    """Serial number → whose."""
    issued = keys.issued()
    if len(words) == 2:
        role, name = words
        found = {each.serial: f"{role} {name}" for each in issued if (each.role, each.name) == (role, name)}
        if not found:
            raise NotFound(message=f"no certificate was made here for {role} {name}", hints=[
                "name its serial number, which slurmctld's log has, or its file; a daemon with slurm.key issues its own: there `slurm "
                "cert rotate` helps"])
        return found
    if len(words) > 2:
        raise InvalidRequest(message="one certificate at a time: a serial number, a file, or ROLE NAME")
    word = words[0].strip()
    if os.path.exists(word):
        with open(word, "rb") as file:
            serial = serial_of(file.read())
    else:
        serial = word.lower().replace(":", "").lstrip("0")
        if not serial or not _HEX.issuperset(serial):
            raise InvalidRequest(message=f"{word} is neither a serial number nor a file")
        serial = serial.zfill(len(serial) + len(serial) % 2)
    return {serial: next((f"{each.role} {each.name}" for each in issued if each.serial == serial), "not made here")}
