"""Inside the job: the task is called with the contexts it asked for; within a workflow, tasks that it calls are submitted."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

from slurm.sdk import context
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import Envelope
from slurm.sdk.inside.injection import JOB, WORKFLOW
from slurm.sdk.inside.runtime import build_job_context


def called(envelope: Envelope, files: JobFiles, environ: Mapping[str, str], function: Callable[..., Any], args: tuple[Any, ...],
           kwargs: Mapping[str, Any], told: Any = None) -> Any:
    """What the task returns. `told` is who tells the callbacks that came with the job (`callbacks.inside.Inside`)."""
    supplied: dict[str, Any] = {name: build_job_context({**environ, "JOB_DIR": files.folder})
                                for name, kind in envelope.inject.items() if kind == JOB}
    if not envelope.cluster:
        if told is not None:
            told.begin(function)
        return function(*args, **{**supplied, **kwargs})
    from slurm.sdk.workflow import WorkflowContext  # plain tasks do without what submits

    cluster = pickle.loads(envelope.cluster)(told.callbacks if told is not None else ())
    around = WorkflowContext(cluster, environ.get("SLURM_JOB_ID", ""), files.folder, local_mode=True, name=envelope.task)
    supplied.update((name, around) for name, kind in envelope.inject.items() if kind == WORKFLOW)
    token = context.enter(around)
    try:
        if told is not None:
            return told.workflow(around, function, args, {**supplied, **kwargs})
        return function(*args, **{**supplied, **kwargs})
    finally:
        context.leave(token)
        cluster.close()
