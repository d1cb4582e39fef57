"""Orders of slurmd, and news of children: from the first moment of a step to its last."""

from __future__ import annotations

import os

from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step


class Orders(Hook):
    """The order socket. A slurmd that waits on it learns by its end that the step has ended."""

    def set_up(self, step: Step) -> None:
        """Listen."""
        step.loop.on_child = step.on_child
        step.control = Control(step.loop, lambda order: _obey(step, order))

    def clean_up(self, step: Step) -> None:
        """Listen no more, and leave no socket behind."""
        if step.control is not None:
            control, step.control = step.control, None
            control.close()


def _obey(step: Step, order: dict[str, object]) -> dict[str, object]:
    operation = order["op"]
    if operation == "terminate":
        step.end(str(order["why"]), float(str(order["kill_wait"])), float(str(order.get("at", 0.0))))
    elif operation == "signal":
        step.signal(int(str(order["signal"])), first=bool(order.get("first")), everything=bool(order.get("all")))
    elif operation == "limit":
        if step.timekeeping is None:
            raise ValueError("the step keeps no time yet")
        step.timekeeping.set_deadline(float(str(order["deadline"])))
    elif operation == "usage":
        return {"ok": True, **step.gatherer.now()}
    elif operation != "status":
        raise ValueError(f"unknown operation {operation}")
    return {"ok": True, "pid": os.getpid(), "tasks": [task.pid for task in step.tasks if task.status is None], "ending": step.ending.why,
            "pids": {str(task.rank): task.pid for task in step.tasks}}
