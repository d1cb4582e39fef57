"""Who gives way to whom where the commands of two Slurms are on PATH."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from slurm.net import other_slurm

OURS = "#!/usr/bin/python3\nimport sys\nfrom slurm.commands.sbatch import main\nsys.exit(main())\n"


@pytest.fixture
def two(tmp_path: Path) -> dict[str, str]:
    """Variables of a shell that finds ours first, and behind it a real Slurm's."""
    for name, text in (("ours", OURS), ("real/bin", "\x7fELF")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "sbatch").write_text(text)
        (folder / "sbatch").chmod(0o755)
    return {"HOME": str(tmp_path), "PATH": f"{tmp_path}/none:{tmp_path}/ours:{tmp_path}/real/bin"}


def conf(tmp_path: Path, *lines: str) -> dict[str, str]:
    path = tmp_path / "slurm.conf"
    path.write_text("\n".join(("ClusterName=c", f"SlurmctldPidFile={tmp_path}/slurmctld.pid", *lines)) + "\n")
    return {"SLURM_CONF": str(path)}


def test_a_site_with_munge_is_left_to_its_own_commands_unless_our_controller_listens_here(two: dict[str, str], tmp_path: Path) -> None:
    environ = two | conf(tmp_path, "SlurmctldHost=head", "AuthType=auth/munge")
    assert other_slurm.instead("sbatch", environ) == f"{tmp_path}/real/bin/sbatch"
    (tmp_path / "slurmctld.sock").touch()
    assert other_slurm.instead("sbatch", environ) == ""


def test_nobody_gives_way_where_there_is_no_other_or_it_comes_first(two: dict[str, str], tmp_path: Path) -> None:
    environ = two | conf(tmp_path, "SlurmctldHost=head", "AuthType=auth/munge")
    assert other_slurm.instead("squeue", environ) == ""
    assert other_slurm.instead("sbatch", {**environ, "PATH": f"{tmp_path}/ours"}) == ""
    assert other_slurm.instead("sbatch", {**environ, "PATH": f"{tmp_path}/real/bin:{tmp_path}/ours"}) == ""


def test_an_embedded_cluster_is_ours(two: dict[str, str], tmp_path: Path) -> None:
    assert other_slurm.instead("sbatch", two | conf(tmp_path, "AuthType=auth/local")) == ""


def test_with_auth_slurm_only_a_real_slurms_daemon_on_this_machine_makes_ours_give_way(
        two: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_slurm, "SACK_SOCKETS", (str(tmp_path / "sack.socket"),))
    environ = two | conf(tmp_path, "SlurmctldHost=127.0.0.1", "SlurmctldPort=1", "AuthType=auth/slurm", f"SlurmdPidFile={tmp_path}/s.pid")
    assert other_slurm.instead("sbatch", environ) == ""
    (tmp_path / "sack.socket").touch()
    assert other_slurm.instead("sbatch", environ) == f"{tmp_path}/real/bin/sbatch"
    (tmp_path / "slurmctld.sock").touch()
    assert other_slurm.instead("sbatch", environ) == ""


def test_who_listens_at_the_controllers_port_is_not_asked_and_cannot_make_ours_give_way(two: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        environ = two | conf(tmp_path, "SlurmctldHost=127.0.0.1", f"SlurmctldPort={port}", "AuthType=auth/slurm", f"SlurmdPidFile={tmp_path}/s.pid")
        assert other_slurm.instead("sbatch", {**environ, "SLURM_JWT": "secret"}) == ""
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_without_any_configuration_the_other_is_asked_only_where_it_has_one(two: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slurm.net.discovery.SYSTEM_CONF", str(tmp_path / "nowhere"))
    assert other_slurm.instead("sbatch", two) == ""
    (tmp_path / "real/etc").mkdir()
    (tmp_path / "real/etc/slurm.conf").touch()
    assert other_slurm.instead("sbatch", two) == f"{tmp_path}/real/bin/sbatch"
