"""Keywords of the published SDK's decorators, as its functions read them. How ours are read stands in `sdk.options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from slurm.sdk.tasks import SlurmTask, Submittable

__all__ = ["PackagingConfig", "SlurmTaskWithDependencies", "SubmittableWorkflow", "normalize_sbatch_key", "normalize_sbatch_options",
           "parse_packaging_config"]

_KINDS = ("auto", "wheel", "none", "inherit")
SlurmTaskWithDependencies = SlurmTask
"""What `.after()` returns: a task like any other."""
SubmittableWorkflow = Submittable
"""What `Cluster.submit` gives, of tasks too."""


class PackagingConfig(TypedDict, total=False):
    """What `packaging_…` keywords may say; which of them a way of packaging carries out, its own page tells."""

    type: str
    image: str
    dockerfile: str
    context: str
    name: str
    tag: str
    registry: str
    platform: str
    build_args: dict[str, str]
    build_secrets: list[Any]
    push: bool
    use_digest: bool
    no_cache: bool
    tls_verify: bool
    runtime: str
    python_executable: str
    modules: list[str]
    srun_args: list[str]
    mount_job_dir: bool
    mounts: list[Any]
    workdir: str


def normalize_sbatch_key(key: object) -> str:
    """An option's name with underscores; `name` is `job_name`."""
    found = str(key).strip().lower().replace("-", "_")
    return "job_name" if found == "name" else found


def normalize_sbatch_options(options: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Options under their names, without those whose name is None; `memory` is `mem` unless both stand there."""
    found = {normalize_sbatch_key(key): value for key, value in (options or {}).items() if key is not None}
    if "memory" in found and "mem" not in found:
        found = {"mem" if key == "memory" else key: value for key, value in found.items()}
    return found


def parse_packaging_config(packaging: str | Mapping[str, Any] | None, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """`packaging=` and the `packaging_…` keywords beside it as one dictionary with a `type`; None for nothing.

    `container:IMAGE`, and any word that names no way of packaging, is the container of that image.
    """
    if not packaging:
        return None
    if isinstance(packaging, Mapping):
        return {**packaging, **(kwargs or {})}
    kind, colon, image = packaging.partition(":")
    if kind == "container":
        found = {"type": "container", **({"image": image} if colon else {})}
    else:
        found = {"type": packaging} if packaging in _KINDS else {"type": "container", "image": packaging}
    return {**found, **(kwargs or {})}
