"""config.json of an OCI bundle: what is taken of it, and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from slurm.notation.container import Mount
from slurm.slurmd.stepd.container.bundle import read
from slurm.slurmd.stepd.container.root import CannotBuild


def bundle(folder: Path, **config: Any) -> str:
    (folder / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, **config}))
    return str(folder)


def test_what_a_tool_writes_is_taken(tmp_path: Path) -> None:
    found = read(bundle(
        tmp_path, root={"path": "rootfs", "readonly": True}, process={
            "user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["PATH=/bin", "EMPTY="], "cwd": "/work", "capabilities": {"bounding": []}},
        mounts=[
            {"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/data", "type": "bind", "source": "/srv/data", "options": ["rbind", "ro"]},
            {"destination": "/own", "type": "none", "source": "own", "options": ["bind", "noexec"]}],
        linux={"namespaces": [{"type": "pid"}], "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "resources": {}}))
    assert (found.root, found.writable, found.as_root, found.work_dir) == (f"{tmp_path}/rootfs", False, True, "/work")
    assert found.environment == {"PATH": "/bin", "EMPTY": ""}
    assert found.mounts == [Mount("/srv/data", "/data", True), Mount(f"{tmp_path}/own", "/own", False, True)]
    assert found.left_out == ["linux.seccomp"]


@pytest.mark.parametrize(("config", "why"), [
    ({"hooks": {"prestart": [{"path": "/bin/sh"}]}}, "has hooks"), ({"root": {}}, "names no root.path"), ({"root": []}, "root is no object"),
    ({"root": {"path": "a\0b"}}, "names no root.path"), ({"process": {"cwd": "x"}}, "no absolute path"),
    ({"process": {"env": ["=x"]}}, "no NAME=value"), ({"process": {"env": {}}}, "is no list"), ({"mounts": {}}, "mounts is no list"),
    ({"mounts": ["x"]}, "not described"), ({"mounts": [{"destination": "/x", "type": "overlay", "source": "overlay"}]}, "of type overlay"),
    ({"mounts": [{"destination": "/proc/1", "type": "bind", "source": "/x"}]}, "nothing is mounted over"),
    ({"mounts": [{"destination": "/a/../../b", "type": "bind", "source": "/x"}]}, "nothing is mounted over"),
    ({"mounts": [{"destination": "/x", "type": "bind", "source": "/a:/b,/c"}]}, "a colon or comma"),
    ({"root": {"path": "r", "readonly": True}, "mounts": [{"destination": "/x", "type": "tmpfs"}]}, "of type tmpfs"),
])
def test_what_is_hostile_or_beyond_us_is_refused_in_a_sentence(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotBuild, match=why):
        read(bundle(tmp_path, **config))


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match="No such file"):
        read(str(tmp_path))
    file = tmp_path / "config.json"
    for text in ("{", "[]", "[" * 100_000, '{"root": {"path": "x"}, "a": "' + "x" * (1 << 20) + '"}'):
        file.write_text(text)
        with pytest.raises(CannotBuild, match=r"no JSON|longer than"):
            read(str(tmp_path))
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CannotBuild, match="is no file"):
        read(str(tmp_path))
