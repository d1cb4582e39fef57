"""`slurm cert make ROLE NAME`: a certificate for one daemon, to be given to its machine instead of slurm.key."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from slurm.commands.cert.keys import Keys, write
from slurm.commands.embedded.console import Console
from slurm.model.errors import ConfigError, NotFound
from slurm.net.certificates import PREFIXES
from slurm.notation.nearest import nearest


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cert make`."""
    parser.add_argument("role", choices=list(PREFIXES), metavar="ROLE", help=f"whose: {', '.join(PREFIXES)}")
    parser.add_argument("daemon", metavar="NAME", help="the node's name for slurmd, the host's name for the others")
    parser.add_argument("-o", "--output", default="", metavar="FOLDER",
        help="where the files go (default: ./ROLE-NAME); - prints them as one text")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Make it."""
    keys = Keys(environ)
    role, name = options.role, options.daemon
    known = list(keys.config.nodes_by_name)
    if role == "slurmd" and name not in known:
        close = nearest(name, known)
        raise NotFound("ESLURM_INVALID_NODE_NAME", hints=[f"did you mean {close}?" if close else f"{keys.config.path} has no node {name}"])
    pair = keys.authority().issue(role, name)
    contents = {f"{PREFIXES[role]}_cert.pem": (pair.certificate, 0o644), f"{PREFIXES[role]}_cert_key.pem": (pair.key, 0o600),
                "ca_cert.pem": (keys.bundle(), 0o644)}
    if options.output == "-":
        serial = keys.note(pair.certificate, role, name)
        console.out.write(b"".join(content for content, _ in contents.values()).decode())
        return 0
    folder = options.output or f"{role}-{name.replace('/', '_')}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(message=f"cannot make {folder}: {error.strerror}") from error
    serial = keys.note(pair.certificate, role, name)
    for file, (content, mode) in contents.items():
        write(os.path.join(folder, file), content, mode)
    if options.json:
        console.answer({"role": role, "name": name, "serial": serial, "files": [os.path.join(folder, file) for file in contents]})
        return 0
    console.line(f"Certificate {serial} of {role} {name}:")
    for file in contents:
        console.line(f"  {os.path.join(folder, file)}")
    console.line(f"Put them beside slurm.conf on {name}'s machine (or where TLSParameters says) instead of slurm.key; whoever is root "
                 f"there is then {role} "
                 f"{name} and no more. {PREFIXES[role]}_cert_key.pem is secret: remove it here.")
    return 0
