"""When GPUs are measured: while a step with devices runs, by one process (`gpu_meter`) that is started anew when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import sys

from slurm.slurmd.gpu_meter import LIBRARY
from slurm.slurmd.stepd.folder import StepKey
from slurm.slurmd.stepd.tasks import MARK

log = logging.getLogger("slurmd.gpus")
_AGAIN_SECONDS = 30.0
_LONGEST_SECONDS = 15.0


class GpuMetering:
    """Keeps the readings in `path` fresh while anybody holds on; `helpers` are the processes of slurmd's own, to which the meter's is
    added."""

    def __init__(self, path: str, seconds: float, helpers: set[int]) -> None:
        self._path = path
        self._seconds = max(1.0, min(seconds, _LONGEST_SECONDS))
        self._helpers = helpers
        self._held: set[StepKey] = set()
        self._task: asyncio.Task[None] | None = None
        self._told = False

    def hold(self, key: StepKey) -> None:
        """This step has GPUs and runs."""
        self._held.add(key)
        if self._task is not None and not self._task.done():
            return
        if importlib.util.find_spec(LIBRARY) is None:
            if not self._told:
                self._told = True
                log.warning("what steps use of their GPUs is not measured: nvidia-ml-py is not installed (pip install slurm-py[gpu])")
            return
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def release(self, key: StepKey) -> None:
        """The step has ended; the last one ends the meter."""
        self._held.discard(key)
        if not self._held:
            self.close()

    def close(self) -> None:
        """Measure no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "slurm.slurmd.gpu_meter", self._path, str(self._seconds), stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=_environment())
            self._helpers.add(process.pid)
            try:
                status = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                self._helpers.discard(process.pid)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)
            log.error("the process that measures GPUs ended with status %d; it is started again in %.0f s", status, _AGAIN_SECONDS)
            await asyncio.sleep(_AGAIN_SECONDS)


def _environment() -> dict[str, str]:
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.environ.get("PYTHONPATH", "")
    own = {name: value for name, value in os.environ.items() if name != MARK}
    return {**own, "PYTHONPATH": f"{source}:{path}" if path else source, "PYTHONDONTWRITEBYTECODE": "1"}
