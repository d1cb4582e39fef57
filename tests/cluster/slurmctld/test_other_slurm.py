"""Whether a controller that listens is one of ours, by what it answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from slurm.net import other_slurm


@pytest.mark.parametrize("answer", [b"", b"\x00\x00\x00\x10no frame of ours", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_controller_that_speaks_otherwise_is_a_real_slurms(answer: bytes, tmp_path: Path) -> None:
    for folder, text in (("ours", "from slurm.commands.squeue import main"), ("real", "ELF")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "squeue").write_text(text)
        (tmp_path / folder / "squeue").chmod(0o755)
    (tmp_path / "slurm.key").write_bytes(b"k" * 32)
    (tmp_path / "slurm.key").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            stream, _ = listener.accept()
            with stream:
                stream.recv(4096)
                stream.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        (tmp_path / "slurm.conf").write_text(
            f"SlurmctldHost=127.0.0.1\nSlurmctldPort={listener.getsockname()[1]}\nAuthType=auth/slurm\nSlurmctldPidFile={tmp_path}/d.pid\nSlurmdPidFile={tmp_path}/s.pid\n")
        environ = {"SLURM_CONF": f"{tmp_path}/slurm.conf", "PATH": f"{tmp_path}/ours:{tmp_path}/real"}
        assert other_slurm.instead("squeue", environ) == f"{tmp_path}/real/squeue"
