"""The container of a step that was asked to run in one."""

from __future__ import annotations

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step


class Container(Hook):
    """Made before the tasks, which enter it; after the last of them it is gone, but for what was asked to be kept."""

    def set_up(self, step: Step) -> None:
        """Have it made."""
        if step.record.container:
            from slurm.slurmd.stepd.container import launch  # few steps need it

            step.container = launch.make(step.loop, step.record, step.cgroup, step.notice)

    def clean_up(self, step: Step) -> None:
        """Write it down where that was asked for, and let go of it."""
        if step.container is not None:
            if step.record.container.get("container_save") and not step.refusal:
                refused = "the step was ended" if step.ending.asked else _saved(step, step.container.files)
                if refused:
                    step.notice(f"error: --container-save={step.record.container['container_save']}: {refused}")
            container, step.container = step.container, None
            container.close()


def _saved(step: Step, files: int) -> str:
    from slurm.slurmd.stepd.container import launch

    step.ending.resting = True  # processes that tasks left may have been killed until now
    return launch.save(step.loop, step.record, step.cgroup, files)
