"""plugstack.conf, and what a Python plug-in for steps has, which is read and not run."""

from pathlib import Path

import pytest

from slurm.model.errors import SlurmError
from slurm.plugins.plugstack import Line, PluginOption, described, path_of, read

PLUGIN = '''
import os
raise SystemExit("nobody runs it to look at it")
OPTIONS = {"scratch=GB": "a folder of its own", "trace": "say more", "level[=N]": "how much more"}


def init(step, settings):
    return None


def exit(step, settings):
    return None


def helper():
    return None
'''


def line_of(root: Path, file: str, *words: str, required: bool = True) -> Line:
    return Line(f"{root}/plugstack.conf: line 1", required, file, words)


def test_lines_are_read_with_their_arguments(tmp_path: Path) -> None:
    (tmp_path / "plugstack.conf").write_text("# ours\nrequired spank_a.py 'two words' call_timeout=3\ninclude more/*\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b").write_text("optional /usr/lib/x.so\n")
    first, second = read(path_of("", str(tmp_path / "slurm.conf")))
    assert first == Line(f"{tmp_path}/plugstack.conf: line 2", True, "spank_a.py", ("two words", "call_timeout=3"))
    assert (first.is_python, second.is_python, second.required, second.file) == (True, False, False, "/usr/lib/x.so")
    assert read(str(tmp_path / "none")) == []
    (tmp_path / "plugstack.conf").write_text("required 'open\n")
    with pytest.raises(SlurmError, match="line 1"):
        read(str(tmp_path / "plugstack.conf"))


def test_a_plugin_is_known_by_its_functions_and_options_without_being_run(tmp_path: Path) -> None:
    (tmp_path / "spank_scratch.py").write_text(PLUGIN)
    plugin = described(line_of(tmp_path, "spank_scratch.py", "call_timeout=3"), [str(tmp_path)], None)
    assert (plugin.name, plugin.functions, plugin.broken, plugin.seconds) == ("scratch", ("init", "exit"), "", 3.0)
    assert plugin.options == (PluginOption("scratch", "GB", False, "a folder of its own"), PluginOption("trace", "", False, "say more"),
        PluginOption("level", "N", True, "how much more"))
    assert plugin.variable("no-such") == "_SLURM_SPANK_OPTION_scratch_no_such"


@pytest.mark.parametrize(("text", "why"), [
    ("def init(:\n", "invalid syntax"), ("OPTIONS = dict(a=1)\n", "malformed node"), ("OPTIONS = ['a']\n", "no dict of texts"),
    ("OPTIONS = {'A b': 'x'}\n", "no name of an option"), ("OPTIONS = {'a=': 'x'}\n", "no name of an option"),
    ("OPTIONS = {'': 'x'}\n", "no name of an option")])
def test_what_cannot_be_read_is_a_broken_plugin(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    assert why in described(line_of(tmp_path, str(tmp_path / "bad.py")), [], None).broken


def test_a_plugin_that_is_not_there_or_that_others_may_write_is_broken(tmp_path: Path) -> None:
    assert "there is no spank_x.py in PluginDir (/a, /b)" in described(line_of(tmp_path, "spank_x.py"), ["/a", "/b"], None).broken
    file = tmp_path / "spank_x.py"
    file.write_text("")
    file.chmod(0o666)
    assert "cannot be trusted" in described(line_of(tmp_path, str(file)), [], frozenset({file.stat().st_uid})).broken
