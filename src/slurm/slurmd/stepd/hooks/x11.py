"""X11 forwarding (srun --x11): a display number of this node, and the cookie for it where only the step's owner reads it."""

from __future__ import annotations

import os

from slurm.notation import xauthority
from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.user import changes_user
from slurm.slurmd.stepd.x11 import Display


class X11(Hook):
    """DISPLAY and XAUTHORITY of its tasks, and who listens there."""

    def set_up(self, step: Step) -> None:
        """Listen, and write the file: into the step's folder, where nobody but slurmd's user makes files or links."""
        record = step.record
        if not record.x11_cookie or step.io is None:
            return
        display = step.display = Display(step.loop, step.io)
        step.io.on_x11, step.io.on_throttle = display.take, display.throttle
        environment = {name: value for name, value in record.environment.items() if name != "XAUTHORITY"}
        environment["DISPLAY"] = f"localhost:{display.number}.{record.x11_screen}"
        if not record.x11_home:
            environment["XAUTHORITY"] = os.path.join(os.getcwd(), folder.XAUTHORITY)
            entry = xauthority.entry(xauthority.WILD, b"", display.number, bytes.fromhex(record.x11_cookie))
            descriptor = os.open(folder.XAUTHORITY, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, xauthority.show([entry]))
                if changes_user(record):
                    os.fchown(descriptor, record.uid, record.gid)
            finally:
                os.close(descriptor)
        step.record = record._replace(environment=environment, x11_display=display.number)

    def clean_up(self, step: Step) -> None:
        """Close everything; the file goes with the folder."""
        if step.display is not None:
            display, step.display = step.display, None
            display.close()
