"""`slurm image rm`: the caller's images and named containers leave the nodes of this machine."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.image.caches import kept
from slurm.slurmd.stepd.container import images

_SHORTEST_KEY = 6


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm image rm`."""
    parser.add_argument("which", metavar="IMAGE|NAME|KEY", nargs="*", help="as `slurm image list` shows them")
    parser.add_argument("--all", action="store_true", help="all of them, named containers too")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Remove them."""
    if bool(options.which) == options.all:
        raise Failure("image", "which images are to be removed?", ["name some as `slurm image list` shows them, or --all"])
    found = kept(environ)
    removed: list[str] = []
    busy: list[str] = []
    for word in options.which or [""]:
        meant = [one for one in found if not word or word in (one.of, one.name) or (
            len(word) >= _SHORTEST_KEY and not one.name and one.key.startswith(word))]
        if word and not meant:
            raise Failure("image", f"there is no image or container {word}", ["`slurm image list` shows those that there are"])
        for one in meant:
            (removed if images.remove(one.path) else busy).append(one.path)
    if options.json:
        console.answer({"removed": removed, "in_use": busy})
    for path in busy:
        console.note(f"{path} is in use and stays")
    console.line(f"{len(removed)} removed")
    return 1 if busy else 0
