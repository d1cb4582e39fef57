"""What happens before a step's tasks start and after they have ended: HOOKS says it in order, one file each.

Set-up stops at the first that fails; clean-up goes through all of them from the last to the first, whatever one of them does.
"""

from __future__ import annotations

import traceback

from slurm.slurmd.stepd.hooks.container import Container
from slurm.slurmd.stepd.hooks.descent import Descent
from slurm.slurmd.stepd.hooks.gathering import Gathering
from slurm.slurmd.stepd.hooks.group import Group
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.hooks.journal import Journal
from slurm.slurmd.stepd.hooks.memory import Memory
from slurm.slurmd.stepd.hooks.mpi import Mpi
from slurm.slurmd.stepd.hooks.orders import Orders
from slurm.slurmd.stepd.hooks.plugins import Plugins
from slurm.slurmd.stepd.hooks.srun import Srun
from slurm.slurmd.stepd.hooks.tasks import Tasks
from slurm.slurmd.stepd.hooks.time_limit import TimeLimit
from slurm.slurmd.stepd.hooks.title import Title
from slurm.slurmd.stepd.hooks.x11 import X11
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.tasks import FAILED_STATUS

HOOKS: tuple[Hook, ...] = (
    Title(), Orders(), TimeLimit(), Srun(), Journal(), X11(), Group(), Plugins(), Mpi(), Container(), Tasks(), Descent(), Memory(), Gathering())
"""Orders are taken first and last.

Cleaned up from the end: its last figures are taken, its cgroup goes, then its end is on record, then srun hears of it, then slurmd.
"""


def set_up(step: Step, hooks: tuple[Hook, ...] = HOOKS) -> None:
    """Set everything up; what cannot be keeps the step from running, and its user is told."""
    for hook in hooks:
        try:
            hook.set_up(step)
        except OSError as error:
            step.refuse(f"cannot start: {error.strerror or error}", FAILED_STATUS)
            return
        except Exception as error:  # noqa: BLE001 - it ends this step, in order, and no other
            step.fail(f"before it ran ({name_of(hook)})", error)
            return


def clean_up(step: Step, hooks: tuple[Hook, ...] = HOOKS) -> None:
    """Clean everything up, in reverse order; what fails is in the log and keeps nothing else from being cleaned up."""
    for hook in reversed(hooks):
        try:
            hook.clean_up(step)
        except Exception as error:  # noqa: BLE001 - all are tried
            step.complain(f"cleaning up ({name_of(hook)}) failed: {error!r}")
            if not isinstance(error, OSError):
                traceback.print_exception(error)


def name_of(hook: Hook) -> str:
    """Its name for logs."""
    return type(hook).__name__.lower()
