"""DebugCallback: makes a job listen for a debugger, such as that of VS Code, before its task begins. The debugger itself is debugpy."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import ClassVar

from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import BaseCallback, ExecutionLocus


class DebugCallback(BaseCallback):
    """Listens on `port` of the job's node; with `wait_for_client` the task begins when a debugger has connected.

    $DEBUGPY_PORT, $DEBUGPY_WAIT and $DEBUGPY_HOST in the job win. Of several tasks on one node each takes the next port. Whoever reaches
    the port can run code as you: host="127.0.0.1" lets in only this node, to which `ssh -L` leads. Without debugpy the job says so and goes
    on.
    """

    execution_loci: ClassVar = {"on_begin_run_job_ctx": ExecutionLocus.RUNNER}

    def __init__(self, *, port: int = 5678, wait_for_client: bool = False, host: str = "0.0.0.0", log_connection_info: bool = True) -> None:
        if not 0 < port < 65536:
            raise ValueError(f"port={port}: ports are 1 to 65535")
        self.port = port
        self.wait_for_client = wait_for_client
        self.host = host
        self.log_connection_info = log_connection_info

    def on_begin_run_job_ctx(self, ctx: base.RunBeginContext) -> None:
        """Listen."""
        try:
            debugpy = import_module("debugpy")
        except ImportError:
            print(f"slurm: DebugCallback: {sys.executable} has no debugpy, the job goes on without: pip install debugpy", file=sys.stderr,
                flush=True)
            return
        local = ctx.job_context.local_rank if ctx.job_context is not None else None
        port = int(os.environ.get("DEBUGPY_PORT") or self.port) + (local or 0)
        host = os.environ.get("DEBUGPY_HOST") or self.host
        debugpy.listen((host, port))
        wait = os.environ.get("DEBUGPY_WAIT", "").lower() in ("1", "true", "yes",
            "on") if os.environ.get("DEBUGPY_WAIT") else self.wait_for_client
        if self.log_connection_info:
            print(f"slurm: job {ctx.job_id} listens for a debugger at {ctx.hostname}:{port}" + (", and waits for one" if wait else ""),
                  file=sys.stderr, flush=True)
        if wait:
            debugpy.wait_for_client()
