"""Which way of packaging a call takes, and what the children of a workflow are told of it."""

from __future__ import annotations

import sys
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging.base import PackagingStrategy, asked_python
from slurm.sdk.packaging.settings import Config, effective
from slurm.sdk.place import Place


class NonePackagingStrategy(PackagingStrategy):
    """Nothing is made and nothing is sent."""

    def prepare(self, task: Any, cluster: Place) -> None:
        """Find out where things lie."""
        self.interpreter = asked_python(self.config, cluster)
        if not isinstance(cluster.backend, Distant):
            self.source, self.path = shipping.here()


class AutoPackagingStrategy(PackagingStrategy):
    """Paths on a shared disk, sources over ssh."""

    def prepare(self, task: Any, cluster: Place) -> None:
        """Send what is not there yet."""
        self.interpreter = asked_python(self.config, cluster)
        if isinstance(cluster.backend, Distant):
            shipping.check(cluster.backend, self.interpreter, cluster.setup)
            self.source = shipping.runner(cluster.backend, cluster.job_base_dir)
            self.path = shipping.sources(cluster.backend, cluster.job_base_dir)
        else:
            self.source, self.path = shipping.here()
            if self.interpreter != [sys.executable]:
                self.source = shipping.runner(cluster.backend, cluster.job_base_dir)  # another may have another cloudpickle, or none


class InheritPackagingStrategy(PackagingStrategy):
    """What the workflow around has; outside of a workflow, on a shared disk, what this process has."""

    def __init__(self, config: Config, parent: PackagingStrategy | None = None) -> None:
        """`parent` has taken what the workflow around made."""
        super().__init__(config)
        self._parent = parent

    def prepare(self, task: Any, cluster: Place) -> None:
        """Find out what there is; PackagingError when there is nothing that the job could see."""
        if self._parent is not None:
            self.take(self._parent.made())
        elif isinstance(cluster.backend, Distant):
            raise PackagingError('packaging="inherit" takes the environment of the workflow that submits the task, and this is no '
                                 'workflow: the cluster behind '
                                 'ssh cannot see the environment of this program. packaging="none" sends nothing, "auto" sends sources')
        else:
            self.interpreter = asked_python({}, cluster)
            self.source, self.path = shipping.here()

    def command(self) -> list[str]:
        """As the parent's."""
        return self._parent.command() if self._parent is not None else super().command()

    def lines(self, files: JobFiles, base: int | None) -> list[str]:
        """As the parent's."""
        return self._parent.lines(files, base) if self._parent is not None else []

    def launch(self, command: str, launcher: str, files: JobFiles) -> list[str]:
        """As the parent's."""
        return self._parent.launch(command, launcher, files) if self._parent is not None else super().launch(command, launcher, files)


def get_packaging_strategy(config: Config | None) -> PackagingStrategy:
    """The way of packaging that this table names; `none` where it names none."""
    kind = (config or {}).get("type")
    if kind == "wheel":
        from slurm.sdk.packaging.wheel import WheelPackagingStrategy  # building is for who asks for it

        return WheelPackagingStrategy(config or {})
    if kind == "container":
        from slurm.sdk.packaging.container import ContainerPackagingStrategy  # building is for who asks for it

        return ContainerPackagingStrategy(config or {})
    if kind == "inherit":
        parent = None
        if record := (config or {}).get("parent"):
            parent = get_packaging_strategy(record["config"])
            parent.take(record["made"])
        return InheritPackagingStrategy(config or {}, parent)
    if kind == "auto":
        return AutoPackagingStrategy(config or {})
    return NonePackagingStrategy(config or {})


def chosen(task: Any, cluster: Place, default: Config) -> PackagingStrategy:
    """The strategy for a call of `task` on this cluster, not prepared yet; `default` is what the cluster says about packaging."""
    config = effective(task.packaging, default, f"@task of {task.name}")
    if cluster.backend.name == "inline":
        return NonePackagingStrategy(config)  # the job is this very process
    for made in (default.get("prebuilt", {}).get(_full_name(task)), default.get("parent")):
        if made is not None and config == made["config"]:
            # As the workflow around, or made with it: not made a second time, and not of files edited since.
            return get_packaging_strategy({"type": "inherit", "parent": made})
    return get_packaging_strategy(config)


def for_children(strategy: PackagingStrategy, cluster: Place, default: Config, workflow: Any) -> Config:
    """The default of the cluster that a workflow makes inside its job; what its `with_dependencies` names is made now."""
    found = default
    if strategy.config["type"] not in ("inherit", "auto"):
        found = {"type": "inherit", "parent": _record(strategy), "before": default.get("before", default)}
    made = dict(default.get("prebuilt", {}))
    for task in workflow.prepared:
        own = chosen(task, cluster, default)
        own.prepare(task, cluster)
        if own.config["type"] not in ("inherit", "auto"):
            made[_full_name(task)] = _record(own)
    return {**found, "prebuilt": made} if made else found


def _record(strategy: PackagingStrategy) -> dict[str, Any]:
    return {"config": strategy.config, "made": strategy.made()}


def _full_name(task: Any) -> str:
    return f"{getattr(task.func, '__module__', '')}.{getattr(task.func, '__qualname__', '')}"
