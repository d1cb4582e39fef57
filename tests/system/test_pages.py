"""The documentation does what it says: the code of every page, run in the order of the page (tests/pages.py says what is run and how)."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from bench import real_slurm
from tests import pages
from tests.system import login_node
from tests.system.harness import Cluster, commands_folder
from tests.system.login_node import LoginNode

SECONDS = 150
LOGIN_HOST = "login.hpc.example.com"
USER = "ada"
"""Who the pages say their reader is: as user of jobs, whoever runs these tests."""
INSTALLING = re.compile(r"^(pip install|python3 -m venv) ")


class Desk(NamedTuple):
    """Where one page is tried out."""

    folder: Path
    environment: dict[str, str]

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, its output and errors as they would stand in a terminal."""
        return subprocess.run(words, cwd=self.folder, env=self.environment, text=True, timeout=SECONDS, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _runs(page: Path) -> bool:
    return any(not block.reason and block.language in ("python", "console") for block in pages.blocks(page))


def _name(page: Path) -> str:
    return str(page.relative_to(pages.ROOT))


def _text_of_commands(page: Path) -> str:
    return "\n".join(command.text for block in pages.blocks(page) if block.language == "console" and not block.reason
                     for command in pages.commands(block))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of all pages that do not start one themselves."""
    found = Cluster(tmp_path_factory.mktemp("pages") / "c", "--nodes", "4", "--cpus", "32", "--memory", "64G", "--gpus", "h100:4")
    found.up()
    yield found
    found.close()


@pytest.fixture(scope="module")
def login(shared: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder from which ssh reaches a login node of the shared cluster under the name that the pages use."""
    _require(login_node.missing())
    variables = {**{name: shared.environment[name] for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PYTHONPATH")},
                 "PATH": _path(shared.environment["PATH"]), "SCRATCH": str(shared.root / "scratch")}
    with _reachable(tmp_path_factory.mktemp("login") / "node", variables) as home:
        yield home


def _require(lacking: str) -> None:
    if lacking:
        pytest.fail(lacking) if os.environ.get("CI") else pytest.skip(lacking)


@contextmanager
def _reachable(folder: Path, variables: dict[str, str]) -> Iterator[Path]:
    """A login node whose sessions have these variables, and the home of somebody whose ssh knows it by the name that the pages use."""
    node = LoginNode(folder)
    with (folder / "sshd_config").open("a") as config:
        config.write("SetEnv " + " ".join(f'"{name}={value}"' for name, value in variables.items()) + "\n")
    (folder / ".ssh").mkdir(mode=0o700)
    known = (folder / "known_hosts").read_text().split(" ", 1)[1]
    (folder / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{node.port} {known}{LOGIN_HOST} {known}[{LOGIN_HOST}]:{node.port} {known}")
    config_file = folder / ".ssh" / "config"
    config_file.write_text(f"Host {LOGIN_HOST}\n  HostName 127.0.0.1\n  Port {node.port}\n  IdentityFile {folder}/key\n  User {getpass.getuser()}\n")
    config_file.chmod(0o600)
    node.start()
    try:
        yield folder
    finally:
        node.stop()


def _path(before: str) -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{before}"


def _controller(folder: Path) -> str:
    """A folder with our slurmctld, which this machine may have from another Slurm too."""
    program = folder / "sbin" / "slurmctld"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom slurm.slurmctld.__main__ import main\nsys.exit(main())\n")
    program.chmod(0o755)
    return str(program.parent)


@pytest.fixture
def desk(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A folder, a home and a cluster for one page; a page that says `slurm up` has none before."""
    alone = "slurm up" in _text_of_commands(page)
    source = str(pages.ROOT / "src")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SRUN", "SQUEUE", "SINFO", "PYTEST_"))}
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    if page.parent.name == "examples":
        shutil.copytree(page.parent, work)
    else:
        work.mkdir()
    found = {**kept, "HOME": str(home), "PYTHONPATH": source, "COLUMNS": "100", "XDG_STATE_HOME": str(tmp_path / "state")}
    if alone:
        found["PATH"] = _path(f"{commands_folder(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    else:
        cluster: Cluster = request.getfixturevalue("shared")
        found |= {name: cluster.environment[name] for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE")}
        found["PATH"] = _path(cluster.environment["PATH"])
    found["PATH"] = f"{_controller(tmp_path)}{os.pathsep}{found['PATH']}"
    if LOGIN_HOST in page.read_text(encoding="utf-8"):
        found["HOME"] = str(request.getfixturevalue("login"))
    made = Desk(work, found)
    yield made
    if alone:
        made.run(["slurm", "down"])


@pytest.mark.parametrize("page", [page for page in pages.PAGES if _runs(page)], ids=_name)
def test_a_page_does_what_it_says(page: Path, desk: Desk) -> None:
    _check_page(page, desk, with_others=False)


@pytest.mark.clients
@pytest.mark.parametrize("page", [page for page in pages.PAGES if any(block.needs for block in pages.blocks(page))], ids=_name)
def test_a_page_that_needs_another_package_does_what_it_says(page: Path, desk: Desk) -> None:
    absent = [block.needs for block in pages.blocks(page) if block.needs and find_spec(block.needs) is None]
    if absent:
        pytest.fail(f"not installed: {absent}") if os.environ.get("CI") else pytest.skip(f"not installed: {absent}")
    _check_page(page, desk, with_others=True)


def test_the_page_on_ssh_holds_on_a_real_slurm_too(tmp_path: Path) -> None:
    _require(login_node.missing() or real_slurm.missing())
    real = real_slurm.RealSlurm()
    try:
        real.start()
        with _reachable(tmp_path / "node", {"SLURM_CONF": f"{real.folder}/slurm.conf", "SCRATCH": str(tmp_path)}) as home:
            source = {"PYTHONPATH": str(pages.ROOT / "src"), "PATH": _path(os.environ["PATH"])}
            (tmp_path / "work").mkdir()
            _check_page(pages.ROOT / "docs" / "how-to" / "ssh.md", Desk(tmp_path / "work", {**source, "HOME": str(home)}), with_others=False)
    finally:
        real.stop()


def _check_page(page: Path, desk: Desk, with_others: bool) -> None:
    session = pages.script(page)
    for block in pages.blocks(page):
        if block.title:
            path = desk.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            path.chmod(0o755)
        elif block.reason or (block.needs and not with_others):
            continue
        elif block.language == "python" and session:
            _check_script(page, session, desk)
            session = ""
        elif block.language == "console":
            for command in pages.commands(block):
                _check_command(page, command, desk)


def _check_script(page: Path, text: str, desk: Desk) -> None:
    script = desk.folder / f"{page.stem.replace('-', '_')}_page.py"
    script.write_text(text)
    done = desk.run([sys.executable, script.name])
    assert done.returncode == 0, f"{page}: line numbers are those of the page\n{done.stdout}"
    wanted = pages.printed(text)
    shown = done.stdout.splitlines()
    for number, line in enumerate(wanted):
        assert number < len(shown) and pages.pattern([line]).fullmatch(shown[number] + "\n"), f"{page}: expected {line!r}\n{done.stdout}"
    assert len(shown) == len(wanted), f"{page}: more is printed than it says\n{done.stdout}"


def _check_command(page: Path, command: pages.Command, desk: Desk) -> None:
    if INSTALLING.match(command.text):
        return  # what is installed is checked by installing it: tests/meta/test_pages.py knows the extras, .ci/run installs
    done = desk.run(["bash", "-c", command.text])
    text = re.sub(rf"\b{re.escape(getpass.getuser())}\b", USER, done.stdout)
    wanted = pages.pattern(command.expected)
    assert wanted.fullmatch(text if not text or text.endswith("\n") else text + "\n"), (
        f"{page}:{command.line}: $ {command.text}\nexpected:\n" + "\n".join(command.expected) + f"\nprinted:\n{done.stdout}")
