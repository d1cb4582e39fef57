"""Orders of slurmd, and news of children: from the first moment of a step to its last."""

from __future__ import annotations

import os

from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step

_LONGEST_WORD = 64
_LAST_SIGNAL = 64
_LONGEST_WAIT = 2**31 - 1
_LAST_MOMENT = 253_370_764_800
"""1 January 9999, as in model.bounds, which is too much to load here."""


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
        step.end(str(order["why"])[:_LONGEST_WORD], _number(order, "kill_wait", _LONGEST_WAIT), _number({"at": 0.0, **order}, "at", _LAST_MOMENT))
    elif operation == "signal":
        step.signal(int(_number(order, "signal", _LAST_SIGNAL)), first=bool(order.get("first")), everything=bool(order.get("all")))
    elif operation == "limit":
        if step.timekeeping is None:
            raise ValueError("the step keeps no time yet")
        step.timekeeping.set_deadline(_number(order, "deadline", _LAST_MOMENT))
    elif operation == "usage":
        return {"ok": True, **step.gatherer.now()}
    elif operation != "status":
        raise ValueError(f"unknown operation {str(operation)[:_LONGEST_WORD]}")
    return {"ok": True, "pid": os.getpid(), "tasks": [task.pid for task in step.tasks if task.status is None], "ending": step.ending.why,
            "pids": {str(task.rank): task.pid for task in step.tasks}}


def _number(order: dict[str, object], name: str, most: float) -> float:
    """A number of an order; ValueError when it is out of bounds, KeyError when it is missing."""
    value = order[name]
    if not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name}: a number from 0 to {most}")
    return value
