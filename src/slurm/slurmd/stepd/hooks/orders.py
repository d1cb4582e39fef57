"""Orders of slurmd, and news of children: from the first moment of a step to its last."""

from __future__ import annotations

import os

from slurm.slurmd.stepd.control import Control
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.step import Step

_LONGEST_WORD = 64
_LONGEST_NOTE = 1024
_PATIENCE_SECONDS = 5.0
_LAST_SIGNAL = 64
_LAST_PID = 2**22
_LONGEST_WAIT = 2**31 - 1
_LAST_MOMENT = 253_370_764_800
"""1 January 9999, as in model.bounds, which is too much to load here."""


class Orders(Hook):
    """The order socket. A slurmd that waits on it learns by its end that the step has ended."""

    def set_up(self, step: Step) -> None:
        """Listen."""
        step.loop.on_child = step.on_child
        step.control = Control(step.loop, lambda order, descriptors: _obey(step, order, descriptors))

    def clean_up(self, step: Step) -> None:
        """Listen no more. The socket stays where the end is not on record: nobody may take the step for one that never began."""
        if step.control is not None:
            control, step.control = step.control, None
            control.close(leave=not step.recorded)


def _obey(step: Step, order: dict[str, object], descriptors: list[int]) -> dict[str, object]:
    operation = order["op"]
    if operation == "terminate":
        step.end(str(order["why"])[:_LONGEST_WORD], _number(order, "kill_wait", _LONGEST_WAIT),
            _number({"at": 0.0, **order}, "at", _LAST_MOMENT))
    elif operation == "signal":
        step.signal(int(_number(order, "signal", _LAST_SIGNAL)), first=bool(order.get("first")), everything=bool(order.get("all")))
    elif operation == "limit":
        if step.timekeeping is None:
            raise ValueError("the step keeps no time yet")
        step.timekeeping.set_deadline(_number(order, "deadline", _LAST_MOMENT))
    elif operation == "suspend":
        step.suspend(bool(order["suspended"]), _number(order, "grace", _LONGEST_WAIT))
    elif operation == "notify":
        step.remark(str(order["text"])[:_LONGEST_NOTE])
    elif operation == "adopt":
        step.adopt(int(_number(order, "pid", _LAST_PID)))
    elif operation == "usage":
        return {"ok": True, **step.gatherer.now()}
    elif operation == "attach":
        _attach(step, order, descriptors)
    elif operation != "status":
        raise ValueError(f"unknown operation {str(operation)[:_LONGEST_WORD]}")
    return {"ok": True, "pid": os.getpid(), "tasks": [task.pid for task in step.tasks if task.status is None], "ending": step.ending.why,
            "pids": {str(task.rank): task.pid for task in step.tasks}}


def _attach(step: Step, order: dict[str, object], descriptors: list[int]) -> None:
    """A sattach comes. ValueError where the step has no streams to show."""
    if step.io is None or step.io.gone or not descriptors:
        raise ValueError("the step has no streams that could be shown: they are in files, or it is ending")
    line = SrunLine.of(descriptors)
    assert line is not None, "there are descriptors"
    descriptors.clear()
    step.io.attach(line, bytes.fromhex(str(order.get("early", ""))), _PATIENCE_SECONDS)


def _number(order: dict[str, object], name: str, most: float) -> float:
    """A number of an order; ValueError when it is out of bounds, KeyError when it is missing."""
    value = order[name]
    if not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name}: a number from 0 to {most}")
    return value
