"""Options of containers, as the Pyxis plugin of NVIDIA's clusters adds them to sbatch, srun and salloc. What becomes of them:
`net.container_options`.

--help leaves them out: who looks there for --container-image takes the cluster for one with enroot on its nodes.
"""

from __future__ import annotations

from slurm.options.option import Option


def _row(name: str, help: str, metavar: str = "", *, joined: bool = False, harmless: str = "") -> Option:
    word = name.replace("-", "_").upper()
    env = "" if name.startswith("no-") else " ".join(f"{owner}_{word}" for owner in ("SLURM", "SBATCH", "SALLOC"))
    return Option(name, "", "text" if metavar else "flag", metavar=metavar, env=env, help=help, plugin="Pyxis", joined=joined,
        harmless=harmless)


PYXIS_OPTIONS: tuple[Option, ...] = (
    _row("container-image", "image to run in", "IMAGE"),
    _row("container-mounts", "folders that are there inside too", "FROM[:TO[:FLAGS]],...", joined=True),
    _row("container-workdir", "working directory inside", "FOLDER"),
    _row("container-name", "name under which the container is kept", "NAME"),
    _row("container-save", "image that the container is saved to", "FILE"),
    _row("container-mount-home", "the home directory is there inside"),
    _row("no-container-mount-home", "the home directory is not there inside"),
    _row("container-remap-root", "be root inside"),
    _row("no-container-remap-root", "be the same user inside"),
    _row("container-entrypoint", "run the image's entry point"),
    _row("no-container-entrypoint", "do not run the image's entry point"),
    _row("container-entrypoint-log", "show what the entry point prints", harmless="it is shown anyway"),
    _row("container-env", "variables that win over those of the image", "NAMES", joined=True),
    _row("container-writable", "files of the image may be changed"),
    _row("container-readonly", "files of the image may not be changed"),
)
