"""`slurm cert show`: the cluster's keys, and the certificates that were made under them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from slurm.commands.cert.keys import Keys
from slurm.commands.embedded.console import Console
from slurm.net.certificates import NEXT, OLD

_MEANING = {"": "issues, trusted", NEXT: "trusted, will issue after `slurm cert rotate switch`",
    OLD: "trusted until `slurm cert rotate finish`"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cert show`."""
    parser.add_argument("--authorities", action="store_true",
        help="print the ca_cert.pem of machines that have certificates, and nothing else")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show them."""
    keys = Keys(environ)
    if options.authorities:
        console.out.write(keys.bundle().decode())
        return 0
    found = [(suffix, keys.authority(suffix).key_id) for suffix in _MEANING if not suffix or os.path.exists(keys.path + suffix)]
    revoked, made = keys.revoked(), keys.issued()
    if options.json:
        console.answer({
            "cluster": keys.cluster, "keys": [{"file": keys.path + suffix, "id": key_id, "meaning": _MEANING[suffix]} for suffix,
            key_id in found],
            "certificates": [{**each._asdict(), "revoked": each.serial in revoked} for each in made], "revoked": sorted(revoked)})
        return 0
    console.table(["KEY", "ID", "MEANING"], [[keys.path + suffix, key_id, _MEANING[suffix]] for suffix, key_id in found])
    console.line()
    if made:
        ids = {key_id for _, key_id in found}
        console.table(["CERTIFICATE", "ROLE", "NAME", "MADE", "STATE"], [
            [each.serial, each.role, each.name, each.at, "revoked" if each.serial in revoked else "good" if each.key_id in ids
            else "of an old key"]
            for each in made])
    else:
        console.line("No certificates were made here: every daemon issues its own from slurm.key")
    strange = sorted(revoked - {each.serial for each in made})
    if strange:
        console.line(f"Revoked besides: {', '.join(strange)}")
    return 0
