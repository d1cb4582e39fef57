"""Orders to slurmstepds: given again and again until they are taken, or the step has ended. None is dropped because one try did not arrive.

A slurmstepd that does not take the order to end its step, long after the step should be over, is stopped or stuck: it is killed, and what
it leaves is ended as for any that was killed (`steps`). One whose folder somebody removed cannot be spoken to: its processes are signalled
themselves, by `by_hand`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Coroutine

from slurm.slurmd import by_hand, control, unknown_steps
from slurm.slurmd.roster import StepHere

log = logging.getLogger("slurmd.orders")
_AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""Beyond the time a step is given to end by itself: how long its slurmstepd may take to hear of it."""


class Orders:
    """The orders that are under way, each a task; the same one twice for a step is one."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def terminate(self, step: StepHere, why: str, kill_wait: int, at: float) -> None:
        """End a step."""
        order: dict[str, object] = {"op": "terminate", "why": why, "kill_wait": kill_wait, "at": at}
        self._give(step, f"terminate {kill_wait}", self._terminate(step, order, kill_wait))

    def signal(self, step: StepHere, number: int, *, first: bool, everything: bool) -> asyncio.Task[None]:
        """Signal a step's tasks; the task is done once it has been."""
        order: dict[str, object] = {"op": "signal", "signal": number, "first": first, "all": everything}
        return self._give(step, f"signal {number} {first} {everything} {time.monotonic()}", self._until_taken(step, order))

    def limit(self, step: StepHere, deadline: float) -> None:
        """Move its job's time limit (boot clock, 0: none); an older order of this kind is given no more."""
        older = self._tasks.pop((step.path, "limit"), None)
        if older is not None:
            older.cancel()
        self._give(step, "limit", self._until_taken(step, {"op": "limit", "deadline": deadline}))

    def suspend(self, step: StepHere, suspended: bool, grace: int) -> None:
        """Have a step hold still, or go on; an older order of this kind is given no more."""
        older = self._tasks.pop((step.path, "suspend"), None)
        if older is not None:
            older.cancel()
        self._give(step, "suspend", self._until_taken(step, {"op": "suspend", "suspended": suspended, "grace": grace}))

    def notify(self, step: StepHere, text: str) -> None:
        """Have a line written where the step's user looks."""
        self._give(step, f"notify {time.monotonic()}", self._until_taken(step, {"op": "notify", "text": text}))

    def close(self) -> None:
        """Give no more: steps go on."""
        for task in self._tasks.values():
            task.cancel()

    def _give(self, step: StepHere, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        key = (step.path, name)
        running = self._tasks.get(key)
        if running is not None:
            work.close()
            return running
        task = self._tasks[key] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: self._finished(key, done))
        return task

    def _finished(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and task.exception() is not None:
            log.error("order %s to %s failed", key[1], key[0], exc_info=task.exception())

    async def _until_taken(self, step: StepHere, order: dict[str, object]) -> None:
        told = False
        while step.ended is None:
            answer = await control.ask(step.path, order)
            if answer is not None and answer.get("ok"):
                return
            if answer is None and by_hand.is_needed(step) and await by_hand.obey(step, order):
                return
            if step.ended is None and not told:
                told = True
                log.error("slurmstepd of %s did not take the order %s yet: %s", step.key.shown, order, answer or "no answer")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _terminate(self, step: StepHere, order: dict[str, object], kill_wait: int) -> None:
        try:
            async with asyncio.timeout(kill_wait + PATIENCE_SECONDS):
                await self._until_taken(step, order)
        except TimeoutError:
            pid = step.pid or control.pid_of(step.path)
            if pid and (control.is_in(pid, step.path) or unknown_steps.is_supervisor(pid, step.key)):
                log.error("slurmstepd of %s (pid %d) does not listen: it is killed", step.key.shown, pid)
                os.kill(pid, signal.SIGKILL)
            await self._until_taken(step, order)
