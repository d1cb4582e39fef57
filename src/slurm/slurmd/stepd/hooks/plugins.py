"""The site's plug-ins around a step: plugstack.conf."""

from __future__ import annotations

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step


class Plugins(Hook):
    """init and user_init of each before anything of the step runs, exit after all of it has ended; task_init is called in each task."""

    def set_up(self, step: Step) -> None:
        """Call them. OSError where a required one cannot be or fails."""
        if not step.record.plugins:
            return
        from slurm.slurmd.stepd.step_plugins import PluginError, apply, call, plugins_of  # few sites have one

        step.plugins_begun = True
        plugins = plugins_of(step.record)
        for place in ("init", "user_init"):
            for plugin in plugins:
                failed = plugin.broken if place == "init" else ""
                if place in plugin.functions:
                    try:
                        environment = dict(step.record.environment)
                        apply(environment, call(step.loop, step.record, plugin, place, step.cgroup))
                        step.record = step.record._replace(environment=environment)
                    except PluginError as error:
                        failed = str(error)
                if failed and plugin.required:
                    raise OSError(failed)
                if failed:
                    step.complain(failed)
                    step.notice(f"warning: {failed}")

    def clean_up(self, step: Step) -> None:
        """Tell those that were called before how it ended."""
        if not step.plugins_begun:
            return
        from slurm.slurmd.stepd.step_plugins import PluginError, call, plugins_of

        step.plugins_begun = False
        step.ending.resting = True  # processes that tasks left may have been killed until now
        for plugin in plugins_of(step.record):
            if "exit" in plugin.functions:
                try:
                    call(step.loop, step.record, plugin, "exit", None, status=step.status)
                except PluginError as error:
                    step.complain(str(error))
