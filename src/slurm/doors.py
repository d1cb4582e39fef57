"""Which names and modules of `slurm` lead where. The front door asks here; the published SDK's import paths are aliases, no files.

It stands beside the front door, above all rooms, because some paths lead into the commands; nothing but the front door imports it.

An alias with another below it ("callbacks", "callbacks.debug") is a package.

`slurm.workflow` and `slurm.task` are decorators and modules: as attributes they stay decorators, `from slurm.workflow import
WorkflowContext` works all the same, and so does `slurm.workflow.WorkflowContext`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any

NAMES: dict[str, str] = {
    "task": "decorators", "workflow": "decorators",
    "Job": "job", "ArrayJob": "array_job", "as_completed": "array_job", "Cluster": "cluster", "SlurmTask": "tasks", "WorkflowTask": "tasks",
    "progress": "array_job", "JobSnapshot": "following.status", "PackagingConfig": "published.words",
    "parse_packaging_config": "published.words",
    "JobContext": "inside.runtime", "WorkflowContext": "workflow", "Executor": "executor", "BaseCallback": "callbacks.base",
    "LoggerCallback": "callbacks.logger",
    "BenchmarkCallback": "callbacks.workflows", "RichLoggerCallback": "callbacks.rich_logger",
    **dict.fromkeys((
        "SdkError", "InvalidOption", "NoCluster", "SubmissionError", "DownloadError", "BackendError", "BackendTimeout",
        "BackendCommandError", "LoginRefused",
        "PackagingError", "SlurmfileError", "NotFinished", "ResultUnreadable", "ResultUnwritten", "JobFailed", "TaskFailed", "JobCancelled",
        "JobTimeLimit",
        "JobOutOfMemory", "JobNodeFailed", "JobPreempted", "DependencyFailed", "RemoteTraceback"), "errors"),
}
"""Name in `slurm` → module below `slurm.sdk` that has it."""

_CALLBACKS = tuple(f"callbacks.{module}" for module in ("base", "logger", "rich_logger", "workflows", "debug"))
_PACKAGING = {f"packaging.{module}": f"packaging.{'choice' if module in ('auto', 'none', 'inherit') else module}"
              for module in ("base", "auto", "none", "inherit", "wheel", "container")}

MODULES: dict[str, tuple[str, ...]] = {
    "decorators": ("decorators", "published.words"), "task": ("tasks", "decorators", "published.words"), "job": ("job",),
    "array_job": ("array_job",),
    "cluster": ("cluster", "published.words"), "workflow": ("workflow", "decorators"),
    "runtime": ("inside.runtime",),
    "errors": ("errors",), "context": ("context",), "executor": ("executor",),
    "runner": ("inside.runner",), "runner.__main__": ("inside.runner",),
    **{module: (f"published.{module}",) for module in ("logging", "ui", "validation")},
    "api": ("published.backends", "published.ssh"), "api.base": ("published.backends",), "api.local": ("published.backends",),
    "api.ssh": ("published.ssh",),
    "packaging": ("packaging.settings", *dict.fromkeys(_PACKAGING.values())), **{alias: (module,) for alias, module in _PACKAGING.items()},
    "callbacks": _CALLBACKS, "callbacks.callbacks": _CALLBACKS, "callbacks.debug": ("callbacks.debug",),
    "mcp_server": ("slurm.mcp.server",), "examples": (), "examples.hello_torch": ("slurm.examples.hello_distributed",),
    "cli": ("slurm.commands.published",), "cli.app": ("slurm.commands.published.app",), "cli.utils": ("slurm.commands.published.clusters",),
    **dict.fromkeys(("cli.formatters", "cli.jobs", "cli.cluster"), ("slurm.commands.published.formatters",)),
    "cli.dash": ("slurm.commands.top.command",), "cli.mcp": ("slurm.commands.mcp.run",), "cli.live": ("slurm.commands.live",),
    "tui": ("slurm.commands.published.screen",), "tui.dashboard": (), "tui.dashboard.app": ("slurm.commands.published.dashboard",),
}
"""Module below `slurm`, perhaps dotted → the modules whose public names it shows, below `slurm.sdk` unless they begin with `slurm.`, the
first one winning; none for a mere package."""

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("rendering", "array_items"), "the published SDK's scripts and files are its own; `job.script()` is ours"),
    **dict.fromkeys(tuple(f"runner.{name}" for name in (
        "argument_loader", "initialization", "placeholder", "callbacks", "context_manager", "workflow_builder", "result_saver")),
                    "how a job is carried out is no interface: a call is made by calling the task, by hand with `python -m slurm.runner`"),
    "_workflow": "slurm.cluster has SubmittableWorkflow",
    **dict.fromkeys(("cli.docs", "tui.docs"), "the documentation is a site, which `make site` builds; docs/index.md begins it"),
    "tui.dashboard.data": "slurm.sdk.following.inspection has the rows of queue and partitions, `slurm top --json` prints them",
    **dict.fromkeys(("examples.integration_test_task", "examples.integration_test_workflow", "examples.container_test_functions"),
                    "it serves the published SDK's own tests; slurm.examples.hello_world and slurm.examples.hello_container are programs "
                    "to try a cluster with"),
}
"""Modules of the published SDK that are none here → what there is instead."""

NAMES_ELSEWHERE: dict[str, dict[str, str]] = {
    module: dict.fromkeys(names.split(), f"`{instead}` is called by slurm.cli.app.app([…]), and finds its cluster in a Slurmfile")
    for module, names, instead in (
        ("cli.jobs", "get_cluster list_jobs show_job watch_jobs connect_job tail_job cancel_job debug_job", "slurm jobs"),
        ("cli.cluster", "get_cluster list_clusters show_cluster watch_cluster connect_cluster", "slurm cluster"),
        ("cli.dash", "dash", "slurm top"), ("cli.mcp", "run_mcp status_mcp", "slurm mcp"),
        ("cli.live", "JobsDashboard ClusterDashboard", "slurm jobs watch"))
} | {
    "cluster": {"get_packaging_strategy": "slurm.packaging has it"},
    "runtime": {"_CONTEXT": "nothing is remembered; current_job_context() reads the variables each time"},
}
"""Names of the published SDK that a module here has not → what there is instead."""


def name(wanted: str) -> Any:
    """What `slurm.<wanted>` is, a name or a module; AttributeError when the SDK has no such thing."""
    if wanted not in NAMES:
        if wanted in MODULES:
            return import_module(f"slurm.{wanted}")
        raise AttributeError(f"module 'slurm' has no attribute {wanted!r}")
    found = getattr(import_module(f"slurm.sdk.{NAMES[wanted]}"), wanted)
    if wanted in MODULES:
        for module in filter(_is_plain, MODULES[wanted]):
            vars(found).update((key, value) for key, value in _public(import_module(full(module))).items() if key != wanted)
    return found


def spec(full_name: str) -> ModuleSpec | None:
    """How the module `slurm.<alias>` is loaded; None when it is no alias, ImportError when there is something else instead."""
    alias = full_name.removeprefix("slurm.")
    if alias in ELSEWHERE:
        raise ModuleNotFoundError(f"there is no {full_name} here: {ELSEWHERE[alias]}", name=full_name)
    if alias not in MODULES:
        return None
    loader: Any = Alias()
    behind = find_spec(full(MODULES[alias][0])) if MODULES[alias] else None
    found = ModuleSpec(full_name, loader, origin=behind.origin if behind is not None else None,
                       is_package=any(other.startswith(f"{alias}.") for other in MODULES))
    if alias == "examples" and found.submodule_search_locations is not None:
        # In a clone; a wheel has them in the package, where they are found before anybody asks here.
        found.submodule_search_locations.append(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "examples"))
    return found


def full(target: str) -> str:
    """The whole name of a module in a row of MODULES."""
    return target if target.startswith("slurm.") else f"slurm.sdk.{target}"


class Shown(ModuleType):
    """A module that shows what others hold.

    What is set in it is set where it comes from as well: tests patch names there, and ours are to be moved.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        shown = vars(self).get(name)
        super().__setattr__(name, value)
        if shown is None or name.startswith("__") or isinstance(value, ModuleType):
            return
        for target in MODULES[self.__name__.removeprefix("slurm.")]:
            behind = sys.modules.get(full(target))
            if behind is not None and vars(behind).get(name) is shown:
                setattr(behind, name, value)


class Alias:
    """A loader of modules that show what others hold. Not one of importlib.abc's, whose import costs a job 12 ms."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """One through which names can be patched."""
        return Shown(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Fill it, from the last to the first so that the first wins."""
        alias = module.__name__.removeprefix("slurm.")
        targets = MODULES[alias]
        for target in reversed([one for one in targets if one == targets[0] or _is_plain(one)]):
            vars(module).update(_public(import_module(full(target))))

        def later(name: str) -> Any:
            for target in targets[1:] if not name.startswith("__") else ():
                if name in (names := _public(import_module(full(target)))):
                    return names[name]
            if name in (instead := NAMES_ELSEWHERE.get(alias, {})):
                raise ImportError(f"there is no {module.__name__}.{name} here: {instead[name]}", name=module.__name__)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = later

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module behind it, for `python -m`."""
        target = full(MODULES[fullname.removeprefix("slurm.")][0])
        found = find_spec(target)
        loader: Any = found.loader if found is not None else None
        code: CodeType | None = loader.get_code(target)
        return code


def _public(module: ModuleType) -> dict[str, Any]:
    if "__all__" in vars(module):
        return {key: getattr(module, key) for key in module.__all__}
    return {key: value for key, value in vars(module).items() if not key.startswith("_") and not isinstance(value, ModuleType)}


def _is_plain(target: str) -> bool:
    """Whether a module is loaded with the alias; those with the published SDK's names are when one of these is asked for, so that jobs do
    not pay."""
    return not target.startswith("published.")


def listed() -> Sequence[str]:
    """All names, for dir(slurm)."""
    return sorted({*NAMES, *(name for name in MODULES if "." not in name and f"slurm.{name}" in sys.modules)})
