"""What building a wheel adds to what lies in the repository: types for the import paths that are no files, such as `slurm.decorators` (`slurm/doors.py`)."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STUBS = "slurm-stubs"
"""A stub package beside the real one, of which type checkers take what the real one lacks (PEP 561: partial)."""


class Types(BuildHookInterface):
    """Writes a stub for each alias: everything of the modules that it shows."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the stubs to the wheel."""
        self._made = tempfile.TemporaryDirectory(prefix="slurm-stubs-")
        for name, text in stubs(Path(self.root)).items():
            path = Path(self._made.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            build_data["force_include"][str(path)] = f"{STUBS}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written."""
        self._made.cleanup()


def stubs(root: Path) -> dict[str, str]:
    """The files of the stub package, by their names in it."""
    doors = runpy.run_path(str(root / "src/slurm/doors.py"))
    modules, full = doors["MODULES"], doors["full"]
    found = {"py.typed": "partial\n"}
    for alias, shown in modules.items():
        package = any(other.startswith(f"{alias}.") for other in modules)
        name = alias.replace(".", "/") + ("/__init__.pyi" if package else ".pyi")
        found[name] = "".join(f"from {full(module)} import *\n" for module in reversed(shown))
    return found
