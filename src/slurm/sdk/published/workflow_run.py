"""What the published SDK's runner does around a workflow, for programs that call it piece by piece, and the variables from which it knows
its cluster."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slurm.sdk import context
from slurm.sdk.callbacks.base import BaseCallback
from slurm.sdk.callbacks.contexts import WorkflowCallbackContext
from slurm.sdk.calls.folder import whole
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import SlurmfileNotFoundError
from slurm.sdk.published.calling import bind_workflow_context, function_wants_workflow_context, run_callbacks
from slurm.sdk.published.runner import RunnerArgs
from slurm.sdk.workflow import WorkflowContext

__all__ = ["ClusterConfig", "WorkflowSetupResult", "activate_workflow_context", "cleanup_cluster_connections", "create_cluster_from_config",
           "create_workflow_context", "deactivate_workflow_context", "determine_parent_packaging_type", "extract_cluster_config_from_env",
           "handle_workflow_context_injection", "setup_workflow_execution", "teardown_workflow_execution", "write_environment_metadata"]

ENVIRONMENT_FILE = ".slurm_environment.json"
_IN_CONTAINERS = ("CONTAINER_IMAGE", "SINGULARITY_NAME", "SLURM_CONTAINER_IMAGE")


@dataclass
class ClusterConfig:
    """What the variables of a workflow's job say of the cluster of its children."""

    slurmfile_path: str | None = None
    env_name: str | None = None
    parent_packaging_config: dict[str, Any] | None = None
    container_image: str | None = None
    prebuilt_images: dict[str, str] | None = None
    job_dir: str | None = None


@dataclass
class WorkflowSetupResult:
    """A workflow that is being carried out: its cluster, its context, how its own code got there, and what takes back that the context is
    active."""

    cluster: Cluster | None
    workflow_context: WorkflowContext
    parent_packaging_type: str
    context_token: Token[context.Submitter | None] | None


def extract_cluster_config_from_env(job_dir: str | None = None, environ: Mapping[str, str] = os.environ) -> ClusterConfig:
    """What SLURM_SDK_SLURMFILE, SLURM_SDK_ENV, SLURM_SDK_PACKAGING_CONFIG, SLURM_SDK_PREBUILT_IMAGES and CONTAINER_IMAGE say."""
    image = environ.get("CONTAINER_IMAGE")
    packaging = _decoded(environ.get("SLURM_SDK_PACKAGING_CONFIG")) or ({"type": "container", "image": image, "push": False} if image
        else None)
    return ClusterConfig(environ.get("SLURM_SDK_SLURMFILE"), environ.get("SLURM_SDK_ENV"), packaging, image,
                         _decoded(environ.get("SLURM_SDK_PREBUILT_IMAGES")), job_dir)


def create_cluster_from_config(config: ClusterConfig, timeout: int = 30) -> tuple[Cluster, str | None]:
    """The cluster of a workflow's children, and how the workflow's own code got there: that of the Slurmfile which came with the job, else
    the one that this job runs on. Children of a workflow in a container run in its image.

    SlurmfileError, BackendError where the published SDK's gives None; `timeout` is taken for its sake, nothing is waited for here.
    """
    parent = config.parent_packaging_config or {}
    inherited: dict[str, Any] = {}
    if parent.get("type") == "container" and parent.get("image"):
        inherited["default_packaging"] = {"type": "container", "image": parent["image"], "push": False}
    try:
        cluster = Cluster.from_env(config.slurmfile_path, env=config.env_name, overrides={"start": False, **inherited})
    except SlurmfileNotFoundError:
        if config.job_dir is None:
            raise
        cluster = Cluster(job_base_dir=os.path.dirname(os.path.dirname(config.job_dir)), start=False, **inherited)
    return cluster, parent.get("type")


def create_workflow_context(cluster: Cluster | None, job_id: str | None, job_dir: str | None) -> WorkflowContext:
    """The context of the workflow that this job is; without a cluster, what it calls cannot be submitted."""
    unset: Any = cluster
    return WorkflowContext(unset, job_id or "unknown", Path(job_dir or "."))


def determine_parent_packaging_type(parent_packaging_type: str | None = None) -> str:
    """`wheel` or `container` as told, else as the variables of this process look; `none` otherwise."""
    if parent_packaging_type in ("wheel", "container"):
        return parent_packaging_type
    if any(os.environ.get(name) for name in _IN_CONTAINERS):
        return "container"
    return "wheel" if os.environ.get("VIRTUAL_ENV") else "none"


def activate_workflow_context(workflow_context: WorkflowContext) -> Token[context.Submitter | None]:
    """From now on tasks that are called are submitted by this workflow; the token takes it back."""
    return context.enter(workflow_context)


def deactivate_workflow_context(context_token: Token[context.Submitter | None] | None) -> None:
    """Return to the context before."""
    if context_token is not None:
        context.leave(context_token)


def setup_workflow_execution(job_id: str | None, job_dir: str | None, timeout: int = 30) -> WorkflowSetupResult:
    """Find the cluster of this job's children and make their workflow the active one; errors as of `create_cluster_from_config`."""
    cluster, packaging = create_cluster_from_config(extract_cluster_config_from_env(job_dir), timeout)
    around = create_workflow_context(cluster, job_id, job_dir)
    return WorkflowSetupResult(cluster, around, determine_parent_packaging_type(packaging), activate_workflow_context(around))


def teardown_workflow_execution(setup_result: WorkflowSetupResult, connection_timeout: float = 2.0) -> None:
    """Take back what `setup_workflow_execution` did."""
    deactivate_workflow_context(setup_result.context_token)
    cleanup_cluster_connections(setup_result.cluster, connection_timeout)


def cleanup_cluster_connections(cluster: Cluster | None, timeout: float = 2.0) -> None:
    """Let go of connections; `timeout` is taken for the published SDK's sake, nothing is waited for."""
    if cluster is not None:
        cluster.close()


def handle_workflow_context_injection(func: Any, task_args: tuple[Any, ...], task_kwargs: Mapping[str, Any], args: RunnerArgs,
        job_id: str | None,
                                      job_dir: str | None, callbacks: Sequence[BaseCallback],
                                      ) -> tuple[tuple[Any, ...], dict[str, Any], WorkflowSetupResult | None]:
    """The arguments with a workflow's context among them where the function takes one, which then is active, and the callbacks have been
    told."""
    if not function_wants_workflow_context(func):
        return task_args, dict(task_kwargs), None
    made = setup_workflow_execution(job_id, job_dir)
    around = made.workflow_context
    bound, kwargs, _ = bind_workflow_context(func, task_args, task_kwargs, around)
    write_environment_metadata(str(around.workflow_job_dir), made.parent_packaging_type, job_id, args.function, args.pre_submission_id)
    run_callbacks(callbacks, "on_workflow_begin_ctx", WorkflowCallbackContext(
        around.workflow_job_id, around.workflow_job_dir, args.function, around, time.time(), None, None, made.cluster))
    return bound, kwargs, made


def write_environment_metadata(job_dir: str, packaging_type: str, job_id: str | None = None, workflow_name: str | None = None,
                               pre_submission_id: str | None = None) -> None:
    """Write the file from which children that the published SDK submits take this process's environment."""
    image = next((os.environ[name] for name in _IN_CONTAINERS if os.environ.get(name)), None)
    venv = os.environ.get("VIRTUAL_ENV")
    record = {
        "version": "1.0", "packaging_type": packaging_type,
        "environment": {"venv_path": venv, "python_executable": sys.executable, "python_version": ".".join(map(str, sys.version_info[:3])),
                        "container_image": image, "activated": venv is not None},
        "shared_paths": {"job_dir": job_dir, "shared_dir": f"{job_dir}/shared", "tasks_dir": f"{job_dir}/tasks"},
        "parent_job": {"slurm_job_id": job_id, "pre_submission_id": pre_submission_id, "workflow_name": workflow_name},
        "created_at": datetime.now(UTC).isoformat()}
    with whole(os.path.join(job_dir, ENVIRONMENT_FILE)) as file:
        file.write(json.dumps(record, indent=2).encode())


def _decoded(text: str | None) -> dict[str, Any] | None:
    """A variable's JSON behind base64."""
    return None if not text else dict(json.loads(base64.b64decode(text)))
