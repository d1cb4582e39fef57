"""Front door of slurm-py. Names are imported when first asked for; nothing else lives here.

Which names there are stands in `slurm.doors`.
"""

import os
import sys
from types import ModuleType

if sys.version_info < (3, 11):  # noqa: UP036 — Cluster(python=…) brings in interpreters that pip would have refused
    raise ImportError(f"slurm-py needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: name another with "
                      "Cluster(python=…)"
                      + (f"; the task was submitted from Python {os.environ['SLURM_SDK_PYTHON']}" if "SLURM_SDK_PYTHON" in os.environ
                      else ""))


class _FrontDoor(ModuleType):
    """This package: its SDK names are found when asked for, and stay what they are when a submodule of the same name is imported."""

    def __getattr__(self, name: str) -> object:
        if name == "__version__":
            from slurm.model.version import VERSION

            return VERSION
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module 'slurm' has no attribute {name!r}")
        import slurm.doors as doors

        if name == "__all__":
            return sorted(doors.NAMES)
        found = doors.name(name)
        self.__dict__[name] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("task", "workflow") and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        import slurm.doors as doors

        return sorted({*super().__dir__(), *doors.listed()})


class _AliasFinder:
    """Finds `slurm.<alias>`, the published SDK's import paths, once everything else has failed to."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        """The spec of an alias, or None."""
        if not name.startswith("slurm."):
            return None
        import slurm.doors as doors

        return doors.spec(name)


sys.modules[__name__].__class__ = _FrontDoor
sys.meta_path.append(_AliasFinder)  # type: ignore[arg-type]
