"""What a step's record says of its container, read. What is to become of it is decided by `builder`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.notation import container
from slurm.notation.container import Image, Mount


class Asked(NamedTuple):
    """One step's container. `writable` None: as it is without a word; `home`, `root` (be root inside), `entry_point` likewise are off then.

    `variables` are names of those that win over the image's.
    """

    image: Image | None
    mounts: Sequence[Mount] = ()
    work_dir: str = ""
    name: str = ""
    name_flag: str = ""
    save: str = ""
    home: bool = False
    root: bool = False
    entry_point: bool = False
    writable: bool = True
    variables: Sequence[str] = ()
    bundle: str = ""  # --container


def read(options: Mapping[str, str]) -> Asked:
    """The container that these options ask for. NotationError for one that nobody can have written by our commands."""
    def on(name: str) -> bool:
        return options.get(name) == "1"

    image = options.get("container_image", "")
    name, flag = container.container_name(options["container_name"]) if options.get("container_name") else ("", "")
    return Asked(
        container.image(image) if image else None, container.mounts(options.get("container_mounts", "")),
        options.get("container_workdir", ""), name, flag, options.get("container_save", ""), on("container_mount_home"),
        on("container_remap_root"), on("container_entrypoint"), options.get("container_writable") != "0",
        [one for one in options.get("container_env", "").split(",") if one], options.get("container_bundle", ""))
