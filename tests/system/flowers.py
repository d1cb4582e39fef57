"""A project of two wheels that builds without any network: its build backend lies in it. And an image that holds nothing but this Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

BACKEND = '''import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("BUILDS", "a") as log:
        log.write("built\\n")
    if os.path.exists("BROKEN"):
        raise SystemExit("the petals do not fit")
    name = "flowers-1.0-py3-none-any.whl"
    info = "flowers-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.write("src/flowers.py", "flowers.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: flowers\\nVersion: 1.0\\nRequires-Dist: petals\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: flowers\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''
FLOWERS = '''import os
import sys

from slurm import WorkflowContext, task, workflow


@task(packaging="wheel", mem="200M")
def count(number: int) -> tuple[int, str]:
    import petals

    return number * petals.EACH, sys.prefix


@task(mem="200M")
def where() -> tuple[str, str]:
    import petals

    return sys.prefix, petals.__file__


@workflow(packaging="wheel", mem="200M")
def garden(ctx: WorkflowContext) -> list[tuple[str, str]]:
    with open(os.path.join(ctx.workflow_job_dir, "began"), "w"):
        pass
    return [(sys.prefix, __file__), where().result(60), where.with_options(packaging="inherit")().result(60), count(1).result(60)[::-1]]
'''


def project(folder: Path) -> Path:
    """The project `flowers` in `folder`/flowers; it needs the wheel `petals`, which lies in `folder`/wheels."""
    root = folder / "flowers"
    (root / "src").mkdir(parents=True)
    (root / "src" / "flowers.py").write_text(FLOWERS)
    (root / "backend.py").write_text(BACKEND)
    (root / ".git").mkdir()
    (root / "pyproject.toml").write_text(
        '[project]\nname = "flowers"\nversion = "1.0"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    petals(folder, 5)
    return root


def petals(folder: Path, each: int) -> None:
    """The wheel that flowers need."""
    import zipfile

    (folder / "wheels").mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "wheels" / "petals-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("petals.py", f"EACH = {each}\n")
        wheel.writestr("petals-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: petals\nVersion: 1.0\n")
        wheel.writestr("petals-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: flowers\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("petals-1.0.dist-info/RECORD", "")


def podman(folder: Path, run: str) -> str:
    """A podman with images of its own as `folder`/bin/podman, `run` being a folder with a short name; what is missing when containers cannot run here, else ""."""
    real = shutil.which("podman")
    if real is None:
        return "podman is not installed: apt-get install podman crun"
    (folder / "bin").mkdir(parents=True)
    # crun refuses a /sys/fs/cgroup of both kinds; in a mount namespace of its own it sees one of them.
    hide = "umount -l /sys/fs/cgroup/unified; " if os.path.ismount("/sys/fs/cgroup/unified") and os.getuid() == 0 else ""
    (folder / "containers.conf").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n')
    (folder / "bin" / "podman").write_text(
        f"#!/bin/sh\nexport CONTAINERS_CONF={folder}/containers.conf\nset -- {real} --root {folder}/storage --runroot {run} \"$@\"\n"
        + (f"exec unshare -m --propagation private sh -c '{hide}exec \"$@\"' sh \"$@\"\n" if hide else 'exec "$@"\n'))
    (folder / "bin" / "podman").chmod(0o755)
    _python(folder / "image" / "root")
    (folder / "image" / "Dockerfile").write_text("FROM scratch\nCOPY root /\nENV PATH=/opt/python/bin:/bin GREETING=hello\n")
    built = _run(folder, "build", "-q", "-t", "localhost/tiny:1", str(folder / "image"))
    if built.returncode:
        return f"podman cannot build an image here: {built.stderr[-400:]}"
    tried = _run(folder, "run", "--rm", "--network=host", "--ipc=host", "--cgroups=disabled", "localhost/tiny:1", "python3", "-c", "print('ran')")
    return "" if tried.stdout == "ran\n" else f"podman cannot run a container here: {tried.stderr[-400:]}"


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / "bin" / "podman"), *words], capture_output=True, text=True, timeout=300, check=False)


def _python(root: Path) -> None:
    """This Python below `root`/opt/python, with the libraries that it needs and a shell."""
    python, library = os.path.realpath(sys.executable), sysconfig.get_path("stdlib")
    left_out = shutil.ignore_patterns("site-packages", "dist-packages", "test", "tests", "idlelib", "ensurepip", "__pycache__", "config-*", "*.a")
    shutil.copytree(library, root / "opt/python/lib" / os.path.basename(library), ignore=left_out)
    (root / "opt/python/bin").mkdir()
    shutil.copy(python, root / "opt/python/bin/python3")
    programs = [python, os.path.realpath("/bin/sh"), *map(str, Path(library, "lib-dynload").glob("*.so"))]
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for path in sorted(set(re.findall(r"(/\S+\.so\S*) \(0x", told))):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(path), root / path[1:])
    for folder in ("bin", "tmp", "etc", "proc", "sys", "dev", "var/tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.realpath("/bin/sh"), root / "bin/sh")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
