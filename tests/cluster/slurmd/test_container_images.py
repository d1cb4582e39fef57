"""Images from registries: pulled once, checked, laid layer over layer, and whatever they hold, kept to the folder that they are unpacked to."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from slurm.notation.container import Image
from slurm.slurmd.stepd.container import oci_images
from slurm.slurmd.stepd.container.root import CannotBuild
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.container_registry import entry, layer, needs_containers, serving
from tests.cluster.slurmd.test_containers import BUSYBOX, Inside, run, user

pytestmark = needs_containers
__all__ = ["run", "user"]
LINK, HARD_LINK, FOLDER, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE


def busybox() -> bytes:
    """A layer with a shell."""
    assert BUSYBOX is not None
    programs = [entry(f"bin/{name}", type=LINK, linkname="busybox") for name in ("sh", "cat", "ls", "env", "pwd", "true", "id")]
    return layer(entry("bin", type=FOLDER), entry("bin/busybox", Path(BUSYBOX).read_bytes()), *programs)


def test_an_image_is_pulled_once_and_its_layers_lie_over_each_other(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        with serving() as registry:
            registry.push("lab/tiny:1", [
                busybox(), layer(entry("data/old/file", b"old"), entry("data/gone", b"x"), entry("keep", b"kept\n"), entry("w", type=FOLDER, mode=0o555)),
                layer(entry("data/.wh.gone"), entry("data/old/.wh..wh..opq"), entry("data/old/new", b"new\n"), entry("w/inside", b"w\n"))],
                {"Env": ["PATH=/bin", "COLOUR=blue"], "WorkingDir": "/data", "Entrypoint": ["env", "BY=entry"], "Cmd": ["sh"]})
            inside = Inside(stage, None, user)
            image = {"image": f"docker://{registry.place}#lab/tiny:1"}
            first = await inside.srun("sh", "-c", "pwd; ls /data /data/old; cat /keep /w/inside; echo $COLOUR $BY", **image)
            assert first.failed is None
            assert first.out == {0: b"/data\n/data:\nold\n\n/data/old:\nnew\nkept\nw\nblue\n"}
            assert first.notices.startswith(f"slurmstepd: importing docker://{registry.place}#lab/tiny:1: 3 layers, ")
            asked = len(registry.asked)
            again = await inside.srun("sh", "-c", "echo $BY", entrypoint="1", **image)
            assert (again.out, again.notices, len(registry.asked)) == ({0: b"entry\n"}, "", asked)
    run(scene)


def test_what_is_not_what_it_is_called_is_refused(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        with serving() as registry:
            shell = busybox()
            registry.push("tiny:1", [shell], {})
            inside = Inside(stage, None, 0)
            digest = registry.put(shell)
            registry.blobs[digest] = shell[:-1] + b"x"
            changed = await inside.srun("true", image=f"{registry.place}#tiny:1")
            assert changed.failed["message"] == (
                f"cannot start: docker://{registry.place}#tiny:1: what {registry.place} gives as {digest} is something else")
            assert not [name for name in os.listdir(stage.spool / "containers/0/images") if (stage.spool / "containers/0/images" / name / "root").exists()]
            missing = await inside.srun("true", image=f"{registry.place}#none:1")
            assert missing.failed["message"] == f"cannot start: docker://{registry.place}#none:1: {registry.place} answers 404: there is no such image"
        away = await inside.srun("true", image=f"{registry.place}#tiny:1")
        assert away.failed["message"] == f"cannot start: {registry.place} cannot be reached: Connection refused"
    run(scene)


def test_layers_reach_nothing_but_the_folder_that_they_are_unpacked_to(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        host = stage.root / "work"
        (host / "file").write_text("of the host\n")
        (host / "file").chmod(0o666)
        with serving() as registry:
            up = "../" * 30
            registry.push("bad:1", [busybox(), layer(
                entry(f"{up}{host}/made", b"x"), entry(f"{host}/made2", b"x"),
                entry("link", type=LINK, linkname=str(host)), entry("link/made3", b"x"), entry("far", type=LINK, linkname=f"{up}{host}"),
                entry("far/file", b"overwritten"), entry("device", type=DEVICE, devmajor=1, devminor=5),
                entry("rooted", b"#!/bin/sh\n", mode=0o6777), entry("hard", type=HARD_LINK, linkname="rooted"))], {"Env": ["PATH=/bin"]})
            inside = Inside(stage, None, user)
            assert await inside.sh("ls /device 2>/dev/null || echo no; id -u; cat /hard", image=f"{registry.place}#bad:1") == f"no\n{user}\n#!/bin/sh\n"
            registry.push("bad:2", [busybox(), layer(entry("stolen", type=HARD_LINK, linkname=str(host / "file")))], {})
            refused = await inside.srun("true", image=f"{registry.place}#bad:2")
            assert "its layers cannot be unpacked" in refused.failed["message"] or refused.exits == {0: 0}
        assert sorted(os.listdir(host)) == ["file"]
        assert (host / "file").read_text() == "of the host\n"
        for folder, _, names in os.walk(stage.spool / "containers"):
            for name in names:
                facts = os.lstat(os.path.join(folder, name))
                assert not facts.st_mode & 0o6000 and facts.st_uid == user, (folder, name)
    run(scene)


def test_an_archive_of_docker_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    config = json.dumps({"config": {"Env": ["A=b"], "WorkingDir": "/w"}}).encode()
    listed = json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar"]}]).encode()
    with tarfile.open(archive, "w") as saved:
        for name, data in (("manifest.json", listed), ("c.json", config), ("a/layer.tar", layer(entry("etc/hello", b"hi")))):
            saved.addfile(entry(name, data)[0], io.BytesIO(data))
    (tmp_path / "image").mkdir()
    facts = oci_images._of_archive(str(archive), str(tmp_path), str(tmp_path / "image"), Image("dockerd", "x", "1"))
    assert facts == {"of": "dockerd://x:1", "environment": {"A": "b"}, "work_dir": "/w"}
    assert (tmp_path / "image/root/etc/hello").read_text() == "hi"
    assert (tmp_path / "image/root/etc/rc").read_text().startswith("#!/bin/sh\ncd /w || exit 1\n")
    archive.write_bytes(b"nothing")
    with pytest.raises(CannotBuild, match="cannot be read"):
        oci_images._of_archive(str(archive), str(tmp_path), str(tmp_path / "image"), Image("dockerd", "x", "1"))
