"""Options that the Pyxis plugin of NVIDIA's clusters adds to sbatch, srun and salloc. None is carried out.

--help leaves them out: who looks there for --container-image wants to know whether a cluster has the plugin.
"""

from __future__ import annotations

from slurm.options.option import Option

_REFUSED = ('containers by the Pyxis plugin are not run; tasks from Python are, with packaging="container:IMAGE", by apptainer, podman or '
            'docker, '
            "and scripts may call these")


def _row(name: str, help: str, metavar: str = "") -> Option:
    return Option(name, "", "text" if metavar else "flag", metavar=metavar, refused=_REFUSED, help=help, plugin="Pyxis")


PYXIS_OPTIONS: tuple[Option, ...] = (
    _row("container-image", "image to run in", "IMAGE"),
    _row("container-mounts", "folders that are there inside too", "FROM[:TO[:FLAGS]],..."),
    _row("container-workdir", "working directory inside", "FOLDER"),
    _row("container-name", "name under which the container is kept", "NAME"),
    _row("container-save", "image that the container is saved to", "FILE"),
    _row("container-mount-home", "the home directory is there inside"),
    _row("no-container-mount-home", "the home directory is not there inside"),
    _row("container-remap-root", "be root inside"),
    _row("no-container-remap-root", "be the same user inside"),
    _row("container-entrypoint", "run the image's entry point"),
    _row("no-container-entrypoint", "do not run the image's entry point"),
    _row("container-entrypoint-log", "show what the entry point prints"),
    _row("container-env", "variables that win over those of the image", "NAMES"),
    _row("container-writable", "files of the image may be changed"),
    _row("container-readonly", "files of the image may not be changed"),
)
