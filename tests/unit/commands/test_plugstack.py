"""plugstack.conf: Pyxis is here, another plug-in keeps jobs away or is a warning, as the site says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.commands import plugstack
from slurm.commands.shell import Shell
from slurm.model.errors import SlurmError
from slurm.options import tables
from slurm.options.resolve import resolve
from slurm.options.usage import help_text


class Site:
    """A slurm.conf with a plugstack.conf beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.conf = root / "slurm.conf"
        self.conf.write_text("ClusterName=test\nSlurmctldHost=localhost\nNodeName=cn01\nPartitionName=debug Nodes=ALL\n")
        self.shell = Shell.of_process("srun")
        self.shell.environ = {"SLURM_CONF": str(self.conf)}
        self.shell.stderr = self.written = io.StringIO()

    @property
    def said(self) -> list[str]:
        """Lines on standard error."""
        return self.written.getvalue().splitlines()

    def check(self, text: str, *, name: str = "plugstack.conf", quiet: bool = False) -> list[str]:
        """What is said of this plugstack.conf."""
        (self.root / name).write_text(text)
        plugstack.load(self.shell).check(self.shell, quiet=quiet)
        return self.said


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One without a plugstack.conf yet."""
    yield Site(tmp_path)
    tables.add(())


def test_pyxis_is_here(site: Site) -> None:
    assert site.check("# containers\nrequired /usr/lib/slurm/spank_pyxis.so runtime_path=/run/pyxis execute_entrypoint=0\n\n") == []


def test_an_optional_plugin_is_a_warning_and_q_silences_it(site: Site) -> None:
    text = "optional /usr/lib/auks.so conf=/etc/auks.conf\n"
    assert site.check(text, quiet=True) == []
    assert site.check(text) == [f"srun: warning: {site.root}/plugstack.conf: line 1: the SPANK plug-in /usr/lib/auks.so is not loaded: SPANK plug-ins are not"]


def test_a_required_plugin_keeps_jobs_away_also_in_a_file_that_is_included(site: Site) -> None:
    (site.root / "plugstack.conf.d").mkdir()
    (site.root / "plugstack.conf.d" / "a.conf").write_text("required private_tmp.so\n")
    with pytest.raises(SlurmError) as caught:
        site.check("include plugstack.conf.d/*.conf\n")
    assert caught.value.message == (
        f"{site.root}/plugstack.conf.d/a.conf: line 1: the SPANK plug-in private_tmp.so is required, and SPANK plug-ins are not loaded")


def test_slurm_conf_may_name_another_file(site: Site) -> None:
    site.conf.write_text(site.conf.read_text() + f"PlugStackConfig={site.root}/other\n")
    with pytest.raises(SlurmError, match="line 1: requires x.so: no such line"):
        site.check("requires x.so\n", name="other")


def test_files_that_include_each_other_come_to_an_end(site: Site) -> None:
    with pytest.raises(SlurmError, match="more than 20 files are included"):
        site.check("include plugstack.conf\n")


def test_without_the_file_or_a_cluster_nothing_is_said(site: Site) -> None:
    plugstack.load(site.shell).check(site.shell, quiet=False)
    site.shell.environ = {"SLURM_CONF": "/not/there"}
    plugstack.load(site.shell).check(site.shell, quiet=False)
    assert site.said == []


def test_options_of_a_python_plugin_are_options_of_the_commands_and_reach_the_node(site: Site) -> None:
    (site.root / "spank_scratch.py").write_text('OPTIONS = {"scratch=GB": "a folder of its own", "trace-it": "say more"}\n')
    (site.root / "plugstack.conf").write_text(f"required {site.root}/spank_scratch.py\n")
    stack = plugstack.load(site.shell)
    resolved = resolve("sbatch", ["--scratch=10", "job.sh"], {}, script="#!/bin/sh\n#SBATCH --trace-it\n")
    assert stack.variables(resolved) == {"_SLURM_SPANK_OPTION_scratch_scratch": "10", "_SLURM_SPANK_OPTION_scratch_trace_it": ""}
    assert "--scratch=GB" in help_text("srun")
    assert stack.variables(resolve("srun", ["true"], {})) == {}
    (site.root / "plugstack.conf").unlink()
    plugstack.load(site.shell)
    with pytest.raises(SlurmError, match="unrecognized option"):
        resolve("sbatch", ["--scratch=10", "job.sh"], {})


def test_a_python_plugin_that_cannot_be_used_is_told_and_keeps_jobs_away_where_it_is_required(site: Site) -> None:
    (site.root / "bad.py").write_text("def init(\n")
    assert "bad.py" in site.check(f"optional {site.root}/bad.py\n")[0]
    with pytest.raises(SlurmError, match="was never closed"):
        site.check(f"required {site.root}/bad.py\n")
    (site.root / "bad.py").write_text('OPTIONS = {"time": "mine"}\n')
    with pytest.raises(SlurmError, match="adds --time, which is there already"):
        site.check(f"optional {site.root}/bad.py\n")
