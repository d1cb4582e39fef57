"""pytest's fixture `slurm_cluster`: a real cluster for one test, `slurm_session_cluster`: one for all. A suite's conftest.py asks for it:

    pytest_plugins = ["slurm.testing.pytest_plugin"]

No entry point announces it: pytest would rewrite every module of slurm-py in every suite of a machine that has it.

    @pytest.mark.slurm(nodes=4, gpus="h100:2", conf="MaxArraySize=10", first_job_id=1000)
    def test_my_tool(slurm_cluster):
        assert slurm_cluster.wait(my_tool.submit("job.sh")) == "COMPLETED"

While a fixture is in use the environment of the test means its cluster: commands and programs that the test starts need nothing else. The
mark's words are those of `slurm.testing.cluster.RealCluster`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slurm.testing.cluster import RealCluster

NAMES = ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "SLURM_CONF", "PATH")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "slurm(nodes, cpus, memory, gpus, conf, first_job_id): the cluster that slurm_cluster is")


@pytest.fixture
def slurm_cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealCluster]:
    """A real cluster of this test's own; 2 nodes of 4 CPUs unless @pytest.mark.slurm says otherwise."""
    mark = request.node.get_closest_marker("slurm")
    with RealCluster(**(mark.kwargs if mark else {})) as cluster:
        for name in NAMES:
            monkeypatch.setenv(name, cluster.environment[name])
        yield cluster


@pytest.fixture(scope="session")
def slurm_session_cluster() -> Iterator[RealCluster]:
    """A real cluster for all tests of the session; the environment means it for as long."""
    patch = pytest.MonkeyPatch()
    with RealCluster() as cluster:
        for name in NAMES:
            patch.setenv(name, cluster.environment[name])
        yield cluster
    patch.undo()
