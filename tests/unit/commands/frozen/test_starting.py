"""When a command starts from the frozen file and when from the sources; that is never seen but by the clock."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.commands.frozen.installation import Installation, python_for_all

NOBODY = 65534


def test_the_first_call_by_its_owner_makes_the_file_and_the_next_starts_from_it(installed: Installation) -> None:
    installed.froze().unlink()
    assert not installed.starts_frozen()
    assert installed.frozen is not None
    assert installed.frozen.stat().st_mode & 0o777 == 0o644
    assert installed.starts_frozen()


@pytest.mark.parametrize("name", ["commands/shell.py", "options/table_squeue.py", "__init__.py", "commands/frozen/boot.py"])
def test_a_source_of_another_time_makes_it_worth_nothing_until_it_is_made_anew(installed: Installation, name: str) -> None:
    installed.froze()
    source = installed.package / name
    facts = source.stat()
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns - 1_000_000_000))
    assert not installed.starts_frozen(), "an older source may have come with a downgrade"
    assert installed.starts_frozen()


def test_a_source_of_another_size_is_run_and_not_what_was_frozen(installed: Installation) -> None:
    installed.froze()
    source = installed.package / "model/version.py"
    text, facts = source.read_text(encoding="utf-8"), source.stat()
    source.write_text(text.replace("26.05.0", "99.99.999"), encoding="utf-8")
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert installed.call("squeue", "--version").stdout == "slurm 99.99.999\n"
    assert installed.starts_frozen()
    assert installed.call("squeue", "--version").stdout == "slurm 99.99.999\n"
    source.write_text(text, encoding="utf-8")
    assert installed.call("squeue", "--version").stdout == "slurm 26.05.0\n"


def test_a_module_that_is_needed_later_is_looked_at_when_it_is_needed(installed: Installation) -> None:
    installed.froze()
    source = installed.package / "options/usage.py"
    with source.open("a", encoding="utf-8") as file:
        file.write('\n\ndef help_text(command: str) -> str:\n    return "mended\\n"\n')
    assert installed.call("squeue", "--help").stdout == "mended\n"


@pytest.mark.parametrize("kept", [0, 3, 1000, -1], ids=["empty", "cut in its first bytes", "cut in its head", "cut at its end"])
def test_a_file_that_was_not_written_to_its_end_is_made_anew(installed: Installation, kept: int) -> None:
    file = installed.froze()
    file.write_bytes(file.read_bytes()[:kept])
    assert installed.call("squeue", "--version").stdout == "slurm 26.05.0\n"
    assert installed.starts_frozen()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call a command as another user")
@pytest.mark.skipif(not python_for_all(), reason="there is no Python that other users may run")
def test_other_users_start_from_the_owners_file_and_never_write_one(open_folder: Path) -> None:
    installed = Installation(open_folder / "venv", python_for_all())
    file = installed.froze()
    assert "slurm.commands.shell" not in installed.call("squeue", "--version", uid=NOBODY, PYTHONPROFILEIMPORTTIME="1").stderr
    file.unlink()
    assert installed.call("squeue", "--version", uid=NOBODY).stdout == "slurm 26.05.0\n"
    assert installed.frozen is None
    folder = file.parent
    folder.chmod(0o777)  # a slip of whoever installed it
    try:
        assert installed.call("squeue", "--version", uid=NOBODY).returncode == 0
        assert installed.frozen is None, "what nobody writes must not be run by root"
    finally:
        folder.chmod(0o755)


def test_who_wants_no_compiled_code_written_gets_none(installed: Installation) -> None:
    installed.froze().unlink()
    assert installed.call("squeue", "--version", PYTHONDONTWRITEBYTECODE="1").returncode == 0
    assert installed.frozen is None


def test_a_link_to_a_command_starts_as_the_command_does(installed: Installation, tmp_path: Path) -> None:
    installed.froze()
    link = tmp_path / "squeue"
    link.symlink_to(installed.bin / "squeue")
    done = installed.call("squeue", "--version", program=str(link), PYTHONPROFILEIMPORTTIME="1")
    assert done.stdout == "slurm 26.05.0\n"
    assert "slurm.commands.shell" not in done.stderr


def another_slurm(folder: Path) -> Path:
    """A package of the same name that is another's, with a folder `commands` of its own, and a module that shadows one of Python's."""
    commands = folder / "slurm" / "commands"
    commands.mkdir(parents=True)
    (folder / "slurm" / "__init__.py").write_text("")
    (commands / "__init__.py").write_text("")
    (commands / "server.py").write_text("")
    (folder / "json.py").write_text('raise ImportError("a module of another Python")')
    return folder


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("shape", ["{0}", "{0}/", "other", ":other", "./other/../other:/nonexistent"])
def test_another_package_of_the_name_on_pythonpath_is_not_run_however_it_is_written(
        installed: Installation, tmp_path: Path, shape: str, frozen: bool) -> None:
    if not frozen:
        installed.froze().unlink()
    other = another_slurm(tmp_path / "other")
    variables = {} if frozen else {"PYTHONDONTWRITEBYTECODE": "1"}
    done = installed.call("squeue", "--version", cwd=tmp_path, PYTHONPATH=shape.format(other), **variables)
    assert done.stdout == "slurm 26.05.0\n", done.stderr


@pytest.mark.parametrize("frozen", [True, False])
def test_a_slurm_py_on_pythonpath_is_run_before_the_installed_one(installed: Installation, tmp_path: Path, frozen: bool) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(installed.package, clone / "slurm", ignore=shutil.ignore_patterns("__pycache__"))
    version = clone / "slurm" / "model" / "version.py"
    version.write_text(version.read_text(encoding="utf-8").replace("26.05.0", "99.99.0"), encoding="utf-8")
    variables = {} if frozen else {"PYTHONDONTWRITEBYTECODE": "1"}
    for _ in range(2):
        done = installed.call("squeue", "--version", PYTHONPATH=f"/nonexistent:{clone}", **variables)
        assert done.stdout == "slurm 99.99.0\n", done.stderr
    assert (clone / "slurm" / "commands" / "__pycache__").exists() == frozen
    assert installed.call("squeue", "--version").stdout == "slurm 26.05.0\n"


@pytest.mark.parametrize("value", [":/nonexistent", "/nonexistent:", "/nonexistent::/elsewhere"])
@pytest.mark.parametrize("command", ["squeue", "sstat"])
def test_a_colon_too_much_in_pythonpath_does_not_run_what_lies_in_the_current_folder(installed: Installation, tmp_path: Path, command: str, value: str) -> None:
    commands = another_slurm(tmp_path) / "slurm" / "commands"
    for module in (command, "later"):
        (commands / f"{module}.py").write_text("print('not this one')\ndef main(): return 0\n")
    done = installed.call(command, "--version", cwd=tmp_path, PYTHONPATH=value)
    assert "not this one" not in done.stdout and done.stdout.startswith("slurm "), done


def test_where_the_interpreter_has_no_package_that_of_pythonpath_is_run(installed: Installation, tmp_path: Path) -> None:
    moved = installed.package.rename(tmp_path / "slurm")
    try:
        done = installed.call("squeue", "--version", PYTHONPATH=str(tmp_path))
        assert done.stdout == "slurm 26.05.0\n", done.stderr
    finally:
        moved.rename(installed.package)
