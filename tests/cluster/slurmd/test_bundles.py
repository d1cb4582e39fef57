"""Steps in OCI bundles (--container), by a real slurmd."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from slurm.notation.container import PREFIX
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.container_registry import needs_containers
from tests.cluster.slurmd.test_containers import BUSYBOX, Inside, image_folder, run, user

pytestmark = needs_containers
__all__ = ["run", "user"]


def bundle(stage: Stage, **config: Any) -> Path:
    """A bundle with busybox."""
    assert BUSYBOX is not None
    folder = stage.root / "bundle"
    if not folder.exists():
        image_folder(folder / "rootfs")
    (folder / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "root": {"path": "rootfs"}, **config}))
    return folder


class InBundle(Inside):
    """Steps in a bundle."""

    def __init__(self, stage: Stage, folder: Path, uid: int) -> None:
        super().__init__(stage, None, uid)
        self.asked = {PREFIX + "container_bundle": str(folder)}

    async def srun(self, *argv: str, environment: dict[str, str] | None = None, ranks: tuple[int, ...] = (0,), **options: str) -> Any:
        return await super().srun(*argv, environment={**(environment or {}), **self.asked}, ranks=ranks, **options)


def test_a_step_runs_in_a_bundle_as_its_file_says(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        (stage.root / "work" / "seen").write_text("of the host\n")
        folder = bundle(
            stage, process={"cwd": "/etc", "env": ["COLOUR=blue"], "user": {"uid": 1000}}, linux={"seccomp": {"defaultAction": "SCMP_ACT_KILL"}},
            mounts=[{"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/data", "type": "bind", "source": str(stage.root / "work"), "options": ["rbind", "ro"]}])
        inside = InBundle(stage, folder, user)
        srun = await inside.srun("sh", "-c", "pwd; echo $COLOUR; cat /data/seen; touch /data/x 2>/dev/null || echo no; touch /x; id -u")
        assert srun.out == {0: f"/etc\nblue\nof the host\nno\n{user}\n".encode()}, (srun.failed, srun.err)
        assert srun.notices == "slurmstepd: warning: --container: not taken from config.json: linux.seccomp\n"
        assert os.listdir(folder / "rootfs") == ["bin"]
    run(scene)


def test_a_hostile_bundle_is_refused_or_harmless(run: Run, user: int) -> None:
    async def scene(stage: Stage) -> None:
        made = stage.root / "work" / "made"
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"touch {made}"]}
        srun = await InBundle(stage, bundle(stage, hooks={"createRuntime": [hook]}), user).srun("true")
        assert "has hooks" in srun.failed["message"] and not made.exists()
        shadow = {"destination": "/shadow", "type": "bind", "source": "/etc/shadow"}
        inside = InBundle(stage, bundle(stage, mounts=[shadow], process={"user": {"uid": 0}, "capabilities": {"effective": ["CAP_SYS_ADMIN"]}}), user)
        inside.step = 10
        srun = await inside.srun("sh", "-c", "id -u; umount /proc 2>/dev/null || echo no; mknod /null c 1 3 2>/dev/null || echo no;"
            " cat /shadow >/dev/null 2>&1 && echo read")
        assert srun.failed is not None or srun.out[0] == (b"0\nno\nno\n" if user else b"0\nno\nno\nread\n")
        for path in ("/", "../../../../../.."):
            away = InBundle(stage, bundle(stage, root={"path": path}), user)
            away.step = 20 + len(path)
            assert "cannot be the root of a container" in (await away.srun("true")).failed["message"]
    run(scene)
