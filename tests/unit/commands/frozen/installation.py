"""An installation of the commands as pip makes it: a virtual environment with a copy of the package, and scripts that start its interpreter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.meta.source import ROOT, SRC


class Installation:
    """A virtual environment in `folder`; its commands are called with a clean environment."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.folder = folder
        self.bin = folder / "bin"
        self.packages = next((folder / "lib").glob("python3*")) / "site-packages"
        self.package = self.packages / "slurm"
        shutil.copytree(SRC / "slurm", self.package, ignore=shutil.ignore_patterns("__pycache__"))
        for script in (ROOT / "scripts").iterdir():
            lines = script.read_text(encoding="utf-8").removeprefix("#!python\n")
            (self.bin / script.name).write_text(f"#!{self.bin}/python3\n{lines}", encoding="utf-8")
            (self.bin / script.name).chmod(0o755)

    def call(self, *words: str, cwd: Path | None = None, uid: int | None = None, program: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the installation, as user `uid` if given, from `program` if it is called by another path."""
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": "/nonexistent", "SLURM_PY_INSTANCE": "none-such", "LANG": "C.UTF-8", **variables}
        return subprocess.run(
            [program or str(self.bin / words[0]), *words[1:]], env=environment, cwd=cwd or self.folder, capture_output=True, text=True, timeout=60,
            check=False, user=uid, stdin=subprocess.DEVNULL)

    def loaded(self, *words: str, **variables: str) -> list[str]:
        """The modules that the import system looked for in a call, beyond those that every Python has loaded then."""
        done = self.call(*words, PYTHONPROFILEIMPORTTIME="1", **variables)
        names = [line.split("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
        return names[names.index("site") + 1:]

    def starts_frozen(self, *words: str, **variables: str) -> bool:
        """Whether a call of a command started from the frozen file."""
        return "slurm.commands.shell" not in self.loaded(*(words or ("squeue", "--version")), **variables)

    @property
    def frozen(self) -> Path | None:
        """The frozen file, if there is one."""
        return next(iter((self.package / "commands" / "__pycache__").glob("frozen-*")), None)

    def froze(self) -> Path:
        """The frozen file of the sources as they are now."""
        if self.frozen is not None and self.starts_frozen():
            return self.frozen
        done = self.call("python3", "-m", "slurm.commands.frozen.build")
        assert done.returncode == 0, done.stderr
        assert self.frozen is not None
        return self.frozen


def python_for_all() -> str:
    """A Python that every user may run, "" where there is none: one below root's home is not."""
    for python in (getattr(sys, "_base_executable", sys.executable), "/usr/bin/python3"):
        path = Path(python).resolve()
        if path.exists() and all(each.stat().st_mode & 0o001 for each in (path, *path.parents)):
            return python
    return ""
