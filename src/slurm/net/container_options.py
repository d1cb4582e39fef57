"""From the options of containers to the variables by which they reach the node that runs the step. The rows are `table_pyxis`'."""

from __future__ import annotations

import os.path

from slurm.model.errors import NotationError
from slurm.notation import container
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_OPTIONS = "container_"
_PAIRS = (
    ("container_mount_home", "no_container_mount_home"), ("container_remap_root", "no_container_remap_root"),
    ("container_entrypoint", "no_container_entrypoint"), ("container_writable", "container_readonly"))
"""What says yes, what says no."""
_WITH_BUNDLE = frozenset(("container_mounts", "container_workdir", "container_env"))


def asked(resolved: Resolved, folder: str) -> dict[str, str]:
    """Variables for the environment of the job or step, {} without a container; `folder`: where a relative image lies. OptionError."""
    if resolved.text("container") and not _image_instead(resolved):
        return _bundle(resolved, folder)
    if not any(name.startswith(_OPTIONS) for name in resolved.settings):
        return {}
    if not resolved.text("container_image") and not resolved.text("container_name"):
        raise OptionError("--container-image or --container-name is needed with other options of containers", exit_code=1)
    try:
        options = _texts(resolved, folder)
    except NotationError as error:
        raise OptionError(error.message, exit_code=1, hints=error.hints) from error
    for yes, no in _PAIRS:
        said = _said(resolved, yes, no)
        if said is not None:
            options[yes] = "1" if said else "0"
    return {container.PREFIX + name: value for name, value in options.items()}


def _bundle(resolved: Resolved, folder: str) -> dict[str, str]:
    """Of --container: the folder with a config.json, in which there is all that the other options would say but for a few."""
    others = sorted(name for name in resolved.settings if name.startswith((_OPTIONS, "no_" + _OPTIONS)) and name not in _WITH_BUNDLE)
    if others:
        raise OptionError(f"--container does not go with --{others[0].replace('_', '-')}", exit_code=1, hints=[
            "its config.json says what the container is"])
    options = {"container_bundle": os.path.normpath(os.path.join(folder, resolved.text("container"))), **_texts(resolved, folder)}
    return {**{container.PREFIX + name: value for name, value in options.items()}, "SLURM_CONTAINER": options["container_bundle"]}


def _image_instead(resolved: Resolved) -> bool:
    """Whether the command line names an image where only a variable names a bundle."""
    return resolved.origins.get("container") != "command line" and "command line" in (
        resolved.origins.get("container_image"), resolved.origins.get("container_name"))


def inherited(resolved: Resolved, folder: str) -> dict[str, str]:
    """The same as variables that srun reads: what salloc was asked for holds for each srun of its job. OptionError."""
    found: dict[str, str] = {}
    for name, value in asked(resolved, folder).items():
        option = name[len(container.PREFIX):]
        if name == "SLURM_CONTAINER":
            found["SRUN_CONTAINER"] = value
            continue
        if option == "container_bundle":
            continue
        if value == "0":
            yes_and_no = dict(_PAIRS)
            if option in yes_and_no and yes_and_no[option] == "container_readonly":
                found["SLURM_CONTAINER_READONLY"] = "1"
            continue
        found[f"SLURM_{option.upper()}"] = value
    return found


def _texts(resolved: Resolved, folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if image := resolved.text("container_image"):
        found["container_image"] = _image(image, folder)
    if text := resolved.text("container_mounts"):
        container.mounts(text)
        found["container_mounts"] = text
    if text := resolved.text("container_name"):
        container.container_name(text)
        found["container_name"] = text
    if text := resolved.text("container_save"):
        found["container_save"] = os.path.join(folder, text)
    if text := resolved.text("container_workdir"):
        if not text.startswith("/"):
            raise NotationError(f"--container-workdir={text} is not an absolute path")
        found["container_workdir"] = text
    if text := resolved.text("container_env"):
        found["container_env"] = text
    return found


def _image(text: str, folder: str) -> str:
    """As the node is to read it: a path absolute. A word that is a file or folder here is meant as one where it cannot be else."""
    if "://" not in text and text.endswith((".sqsh", ".squashfs", ".sqfs")):
        return os.path.normpath(os.path.join(folder, text))
    found = container.image(text)
    return os.path.normpath(os.path.join(folder, found.name)) if found.scheme == "file" else text


def _said(resolved: Resolved, yes: str, no: str) -> bool | None:
    if yes in resolved.settings and no in resolved.settings:
        own = [name for name in (yes, no) if resolved.origins.get(name) == "command line"]
        if len(own) != 1:
            raise OptionError(f"--{yes.replace('_', '-')} and --{no.replace('_', '-')} exclude each other", exit_code=1)
        return own[0] == yes
    return True if yes in resolved.settings else False if no in resolved.settings else None
