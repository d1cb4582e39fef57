"""Which names and modules of `slurm` lead into the SDK. The front door asks here; the published SDK's import paths are aliases, no files.

An alias with another below it ("callbacks", "callbacks.debug") is a package.

`slurm.workflow` and `slurm.task` are decorators and modules: as attributes they stay decorators, `from slurm.workflow import WorkflowContext`
works all the same, and so does `slurm.workflow.WorkflowContext`.
"""

from __future__ import annotations

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
    "progress": "following.progress", "JobSnapshot": "following.status", "PackagingConfig": "published.words", "parse_packaging_config": "published.words",
    "JobContext": "inside.runtime", "WorkflowContext": "workflow", "Executor": "executor", "BaseCallback": "callbacks.base", "LoggerCallback": "callbacks.logger",
    "BenchmarkCallback": "callbacks.benchmark", "RichLoggerCallback": "callbacks.rich_logger",
    **dict.fromkeys((
        "SdkError", "InvalidOption", "NoCluster", "SubmissionError", "DownloadError", "BackendError", "BackendTimeout", "BackendCommandError", "LoginRefused",
        "PackagingError", "SlurmfileError", "NotFinished", "ResultUnreadable", "ResultUnwritten", "JobFailed", "TaskFailed", "JobCancelled", "JobTimeLimit",
        "JobOutOfMemory", "JobNodeFailed", "JobPreempted", "DependencyFailed", "RemoteTraceback"), "errors"),
}
"""Name in `slurm` → module of this room that has it."""

_CALLBACKS = tuple(f"callbacks.{module}" for module in ("base", "contexts", "logger", "rich_logger", "benchmark", "debug", "graph"))
_PACKAGING = tuple(f"packaging.{module}" for module in ("base", "auto", "none", "inherit", "wheel", "container"))

MODULES: dict[str, tuple[str, ...]] = {
    "decorators": ("decorators", "published.words"), "task": ("tasks", "decorators", "published.words"), "job": ("job",), "array_job": ("array_job",),
    "cluster": ("cluster", "published.words"), "workflow": ("workflow", "decorators"), "runtime": ("inside.runtime", "published.runtime"),
    "errors": ("errors",), "context": ("context", "published.context"), "executor": ("executor",),
    "runner": ("inside.runner", "published.runner"), "runner.__main__": ("inside.runner",), "runner.argument_loader": ("published.runner",),
    "runner.initialization": ("published.runner",), "runner.placeholder": ("published.runner",),
    "runner.result_saver": ("published.metadata",),
    **{module: (f"published.{module}",) for module in ("array_items", "logging", "rendering", "ui", "validation")},
    "api": ("published.backends", "published.ssh"), "api.base": ("published.backends",), "api.local": ("published.backends",), "api.ssh": ("published.ssh",),
    "packaging": ("packaging.choice", "packaging.settings", *_PACKAGING), **{module: (module,) for module in _PACKAGING},
    "callbacks": _CALLBACKS, "callbacks.callbacks": _CALLBACKS, "callbacks.debug": ("callbacks.debug",),
    "mcp_server": ("mcp.server",), "examples": (), "examples.workflow_graph_visualization": ("callbacks.graph",),
}
"""Module below `slurm`, perhaps dotted → the modules of this room whose public names it shows, the first one winning; none for a mere package."""


def name(wanted: str) -> Any:
    """What `slurm.<wanted>` is, a name or a module; AttributeError when the SDK has no such thing."""
    if wanted not in NAMES:
        if wanted in MODULES:
            return import_module(f"slurm.{wanted}")
        raise AttributeError(f"module 'slurm' has no attribute {wanted!r}")
    found = getattr(import_module(f"slurm.sdk.{NAMES[wanted]}"), wanted)
    if wanted in MODULES:
        for module in filter(_is_plain, MODULES[wanted]):
            vars(found).update((key, value) for key, value in _public(import_module(f"slurm.sdk.{module}")).items() if key != wanted)
    return found


def spec(full_name: str) -> ModuleSpec | None:
    """How the module `slurm.<alias>` is loaded; None when it is no alias."""
    alias = full_name.removeprefix("slurm.")
    if alias not in MODULES:
        return None
    loader: Any = Alias()
    behind = find_spec(f"slurm.sdk.{MODULES[alias][0]}") if MODULES[alias] else None
    return ModuleSpec(full_name, loader, origin=behind.origin if behind is not None else None,
                      is_package=any(other.startswith(f"{alias}.") for other in MODULES))


class Alias:
    """A loader of modules that show what others hold. Not one of importlib.abc's, whose import costs a job 12 ms."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Python's own kind of module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill it, from the last to the first so that the first wins."""
        targets = MODULES[module.__name__.removeprefix("slurm.")]
        for target in reversed([one for one in targets if one == targets[0] or _is_plain(one)]):
            vars(module).update(_public(import_module(f"slurm.sdk.{target}")))

        def later(name: str) -> Any:
            for target in targets[1:] if not name.startswith("__") else ():
                if name in (names := _public(import_module(f"slurm.sdk.{target}"))):
                    return names[name]
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = later

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module behind it, for `python -m`."""
        target = f"slurm.sdk.{MODULES[fullname.removeprefix('slurm.')][0]}"
        found = find_spec(target)
        loader: Any = found.loader if found is not None else None
        code: CodeType | None = loader.get_code(target)
        return code


def _public(module: ModuleType) -> dict[str, Any]:
    if "__all__" in vars(module):
        return {key: getattr(module, key) for key in module.__all__}
    return {key: value for key, value in vars(module).items() if not key.startswith("_") and not isinstance(value, ModuleType)}


def _is_plain(target: str) -> bool:
    """Whether a module is loaded with the alias; those with the published SDK's names are when one of these is asked for, so that jobs do not pay."""
    return not target.startswith("published.")


def listed() -> Sequence[str]:
    """All names, for dir(slurm)."""
    return sorted({*NAMES, *(name for name in MODULES if "." not in name and f"slurm.{name}" in sys.modules)})
