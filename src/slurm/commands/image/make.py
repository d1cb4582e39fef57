"""`slurm image import`: an image of a registry, of docker or of podman becomes a squashfs file, as `enroot import` makes it."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.model.errors import NotationError
from slurm.notation import container
from slurm.slurmd.stepd.container import builder, images, saver
from slurm.slurmd.stepd.container.root import CannotBuild


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm image import`."""
    parser.add_argument("image", metavar="IMAGE",
        help="docker://[USER@][REGISTRY#]NAME[:TAG], dockerd://NAME[:TAG], podman://NAME[:TAG]")
    parser.add_argument("-o", "--output", metavar="FILE", help="the squashfs file (default: NAME+TAG.sqsh here)")
    parser.add_argument("-f", "--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Import it."""
    try:
        image = container.image(options.image)
    except NotationError as error:
        raise Failure("image", error.message, error.hints) from error
    if image.scheme == "file":
        raise Failure("image", f"{options.image} is a file: what is imported comes from a registry, from docker or from podman",
            ["such as docker://ubuntu:24.04"])
    output = os.path.abspath(options.output or f"{image.name.replace('/', '+')}+{image.tag}.sqsh")
    if os.path.lexists(output) and not options.force:
        raise Failure("image", f"{output} is there already", ["--force replaces it"])
    try:
        with tempfile.TemporaryDirectory(prefix=".slurm-image-", dir=os.path.dirname(output)) as folder:
            found = builder.find(image, folder, console.note, environ)
            refused = saver.save(found.root, output)
            if found.lock >= 0:
                os.close(found.lock)
            images.empty(folder)
    except CannotBuild as error:
        raise Failure("image", str(error.strerror)) from error
    except OSError as error:
        raise Failure("image", f"{output}: {error.strerror or error}") from error
    if refused:
        raise Failure("image", f"{output}: {refused}")
    if options.json:
        console.answer({"image": str(image), "file": output, "bytes": os.stat(output).st_size})
    console.line(output)
    return 0
