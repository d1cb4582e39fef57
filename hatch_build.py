"""What building a wheel adds to what lies in the repository.

Types for the import paths that are no files, such as `slurm.decorators` (`slurm/doors.py`), and, where there is a C compiler, the few lines of
C by which tasks start (`slurmd/stepd/spawn.c`); a wheel without them starts tasks by forking, which takes longer.
"""

from __future__ import annotations

import runpy
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SPAWN = "slurm/slurmd/stepd"
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
        folder = Path(self.root, "src", SPAWN)
        library = runpy.run_path(str(folder / "compile_spawn.py"))["compiled"](folder)
        if library is not None:
            build_data["force_include"][str(library)] = f"{SPAWN}/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

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
