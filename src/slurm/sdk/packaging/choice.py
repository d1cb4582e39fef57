"""Which way of packaging a call takes, and what the children of a workflow are told of it."""

from __future__ import annotations

from typing import Any

from slurm.sdk.packaging.base import PackagingStrategy
from slurm.sdk.packaging.plain import AutoPackagingStrategy, InheritPackagingStrategy, NonePackagingStrategy
from slurm.sdk.packaging.settings import Config, effective
from slurm.sdk.place import Place


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
