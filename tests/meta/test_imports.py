"""What happens when modules are really loaded: each alone, and the commands without anything slow."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import pytest

from slurm.commands.frozen import build
from slurm.net import other_slurm
from tests.meta.source import ROOT, SRC, modules

# Each of these costs a command between 2 and 100 ms of the 45 it has.
SLOW = [
    "msgspec",
    "dataclasses",
    "asyncio",
    "argparse",
    "logging",
    "subprocess",
    "inspect",
    "numpy",
    "pathlib",
    "uuid",
    "tempfile",
    "importlib.metadata",
    "rich",
    "concurrent",
    "uvloop",
    "psutil",
]

ALONE = """
import os, sys
for library in ("asyncio", "logging", "msgspec", "numpy", "uvloop", "psutil", "textual.app", "asyncssh", "mcp.server.mcpserver"):
    __import__(library)
failed = 0
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException as problem:
            print(f"{name}: {type(problem).__name__}: {problem}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
sys.exit(failed != 0)
"""

LOADED = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def _commands() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return sorted(project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-scripts"].values())


def _module(command: str) -> str:
    return f"slurm.commands.{command}"


def _exists(name: str) -> bool:
    return any(module.name == name for module in modules())


def test_every_module_can_be_imported() -> None:
    """Alone too, as none imports itself round a corner (test_layers) but some of the SDK."""
    result = _run("import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)", *[module.name for module in modules()])
    assert result.returncode == 0, result.stderr


def test_every_module_of_the_sdk_can_be_imported_alone() -> None:
    result = _run(ALONE, *[module.name for module in modules() if module.room == "sdk"])
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", _commands())
def test_a_slurm_command_starts_without_slow_modules(command: str) -> None:
    name = _module(command)
    result = _run(LOADED, name)
    assert result.returncode == 0, result.stderr
    loaded = set(json.loads(result.stdout))
    slow = [module for module in SLOW if module in loaded]
    assert not slow, f"{name} loads {slow}"


def test_a_job_starts_without_slow_modules() -> None:
    code = "import slurm.sdk.inside.runner; from slurm.decorators import task; from slurm import Cluster, Job, SlurmTask; print(json.dumps(sorted(sys.modules)))"
    result = _run(f"import json, sys\n{code}")
    assert result.returncode == 0, result.stderr
    loaded = json.loads(result.stdout)
    slow = [module for module in (*SLOW, "cloudpickle", "importlib.abc") if module in loaded]
    assert not slow, f"a job whose module imports task and Cluster loads {slow}"
    assert not [module for module in loaded if module.startswith("slurm.sdk.published.")]


def test_the_command_scripts_are_one_text_but_for_the_name() -> None:
    text = (ROOT / "scripts" / "sbatch").read_text(encoding="utf-8")
    assert text.startswith("#!python\n"), "pip writes the interpreter there"
    assert other_slurm.OF_OURS in text.encode()[:1024], "by that line the commands of any version of ours know each other"
    for command in _commands():
        module = _module(command).rpartition(".")[2]
        assert (ROOT / "scripts" / command).read_text(encoding="utf-8") == text.replace("sbatch", module)
        assert module in build.COMMANDS


def test_every_entry_point_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    entries = [entry.partition(":")[0] for entry in project["project"]["scripts"].values()]
    missing = [name for name in (*entries, *map(_module, _commands())) if not _exists(name)]
    assert not missing, f"installed but not written: {missing}"
    assert find_spec("slurm") is not None
