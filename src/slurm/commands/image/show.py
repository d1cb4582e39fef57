"""`slurm image list`: the caller's images and named containers on the nodes of this machine."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.image.caches import kept


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm image list`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """List them."""
    found = kept(environ)
    if options.json:
        console.answer([{"node": one.node, "image": one.of, "name": one.name, "path": one.path, "used": one.used} for one in found])
        return 0
    if not found:
        console.line("No images of yours are on the nodes of this machine")
        return 0
    console.table(["NODE", "IMAGE", "NAME", "KEY", "USED"], [
        [one.node, one.of, one.name, "" if one.name else one.key[:12], time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(one.used))]
        for one in found])
    return 0
