"""Builds the Debian packages from the repository: `python3 packaging/debian/build.py [--wheels FOLDER] [--revisions N… --] OUTPUT`.

One package holds the program, as a virtual environment of the system's Python with all that it needs, below /usr/lib/slurm-py; the others hold a
daemon's unit, links and folders each. Equal sources, wheels and SOURCE_DATE_EPOCH make equal packages. Needs python3-venv, dpkg and a pip, and a
network only where --wheels does not have every wheel. This file uses the standard library alone.
"""

from __future__ import annotations

import argparse
import email
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = "usr/lib/slurm-py"
PYTHON = "/usr/bin/python3"
EXTRAS = "postgresql,mysql,sdk,mcp,gpu"
MAINTAINER = "slurm-py maintainers <maintainers@slurm-py.dev>"
COMMANDS = tuple(sorted(path.name for path in (ROOT / "scripts").iterdir()))


class Package(NamedTuple):
    """One package: what it is in a line and in full, what it needs beside the base, and whose files it would lie on."""

    name: str
    summary: str
    text: str
    daemon: str = ""
    depends: str = ""
    conflicts: str = ""


BASE = Package("slurm-py", "Slurm in Python: commands and libraries", """\
    A workload manager that speaks Slurm: sbatch, srun, squeue and the others, the slurm command
    that makes a machine a cluster (slurm up), the Python SDK, and the program of all daemons.""",
    conflicts="slurm, slurm-client, slurm-client-emulator, slurm-wlm-emulator, slurm-wlm")
DAEMONS = (
    Package("slurm-py-slurmctld", "Slurm in Python: controller of a cluster", """\
    The unit, folders and manual of slurmctld, which takes jobs and decides which starts where.""", "slurmctld", conflicts="slurmctld"),
    Package("slurm-py-slurmd", "Slurm in Python: daemon of a node", """\
    The unit, folders and manual of slurmd, which runs the jobs of a node.""", "slurmd", conflicts="slurmd"),
    Package("slurm-py-slurmdbd", "Slurm in Python: accounting", """\
    The unit, folders and manual of slurmdbd, which keeps accounting in SQLite, PostgreSQL or MariaDB.""", "slurmdbd", conflicts="slurmdbd"),
    Package("slurm-py-slurmrestd", "Slurm in Python: REST API and web page", """\
    The unit, user and manual of slurmrestd, which serves the REST API and the web page.""", "slurmrestd", conflicts="slurmrestd"),
    Package("slurm-py-sackd", "Slurm in Python: relay for commands of login nodes", """\
    The unit and manual of sackd, which carries commands of a login node to the controller.""", "sackd", conflicts="sackd"),
)
OVERRIDES = {
    "slurm-py": """\
# The libraries of Python come as their authors built them, with what they link to inside: see README.Debian.
embedded-library
custom-library-search-path
library-not-linked-against-libc
shared-library-lacks-prerequisites
unstripped-binary-or-object
hardening-no-fortify-functions
hardening-no-relro
arch-dependent-file-not-in-arch-specific-directory
binary-from-other-architecture
# They bring tests, licences and scripts along.
extra-license-file
executable-not-elf-or-script
script-not-executable
unusual-interpreter
python3-script-but-no-python3-dep
package-installs-python-bytecode
package-installs-python-pycache-dir
wrong-path-for-interpreter
national-encoding
"""}


def main() -> int:
    """Build them all."""
    parser = argparse.ArgumentParser(description="builds the Debian packages")
    parser.add_argument("output", type=Path)
    parser.add_argument("--wheels", type=Path, help="take wheels from here, and nothing from an index")
    parser.add_argument("--revisions", nargs="+", default=["1"], help="the part behind the dash of the packages' version; several: the same again")
    parser.add_argument("--fast", action="store_true", help="larger packages, sooner: for tests")
    options = parser.parse_args()
    os.environ.setdefault("SOURCE_DATE_EPOCH", _date())
    os.umask(0o022)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slurm-py-deb-") as work:
        for package in (BASE, *DAEMONS):
            stage = Path(work, package.name)
            stage.mkdir()
            if package.daemon:
                _daemon(stage, package)
            else:
                _base(stage, options.wheels)
            for revision in options.revisions:
                version = f"{_version()}-{revision}"
                _documents(stage, package, version)
                _build(stage, package, version, options.output, fast=options.fast)
    return 0


def _date() -> str:
    """Seconds of the last commit, or of now where there is no repository."""
    done = subprocess.run(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(int(time.time()))


def _version() -> str:
    found = re.search(r'^VERSION = "([^"]+)"', (ROOT / "src/slurm/model/version.py").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit("src/slurm/model/version.py has no VERSION")
    return found[1]


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True)


def _base(stage: Path, wheels: Path | None) -> None:
    """The virtual environment, made where it is built and told that it lies where it will lie."""
    home = stage / HOME
    _run(PYTHON, "-m", "venv", "--without-pip", home)
    python = home / "bin" / "python3"
    source = ["--no-index", "--find-links", wheels] if wheels else []
    with tempfile.TemporaryDirectory(prefix="slurm-py-wheel-") as folder:
        _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", *source, "--wheel-dir", folder, ROOT)
        wheel = next(Path(folder).glob("slurm_py-*.whl"))
        _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet", "--no-compile", *source, f"{wheel}[{EXTRAS}]")
    _move(home, stage)
    for name in (*COMMANDS, "slurm"):
        _link(stage / "usr/bin" / name, f"../lib/slurm-py/bin/{name}")
    (stage / "etc/slurm").mkdir(parents=True)
    _folder(ROOT / "packaging/examples", stage / "usr/share/doc/slurm-py/examples")
    (stage / "usr/share/doc/slurm-py/README.Debian").write_text((HERE / "README.Debian").read_text(encoding="utf-8"), encoding="utf-8")
    _run(PYTHON, "-m", "compileall", "-q", "-j", "0", "-s", stage, "-p", "/", "--invalidation-mode", "unchecked-hash", home / "lib")


def _move(home: Path, stage: Path) -> None:
    """Where the environment was built is written nowhere any more; what is for the whole system lies there; machine code is stripped."""
    built = str(home).encode()
    shutil.rmtree(home / "include", ignore_errors=True)
    for script in (home / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            data = script.read_bytes()
            script.write_bytes(data.replace(built, f"/{HOME}".encode()))
    for name in ("activate", "activate.csh", "activate.fish", "Activate.ps1"):
        (home / "bin" / name).unlink(missing_ok=True)
    configuration = home / "pyvenv.cfg"
    kept = [line for line in configuration.read_text(encoding="utf-8").splitlines() if not line.startswith("command")]
    configuration.write_text("\n".join(kept) + "\n", encoding="utf-8")
    site = next((home / "lib").glob("python3*/site-packages"))
    for record in site.glob("*.dist-info"):
        (record / "direct_url.json").unlink(missing_ok=True)
        (record / "REQUESTED").unlink(missing_ok=True)
        lines = (record / "RECORD").read_text(encoding="utf-8").splitlines(keepends=True)
        (record / "RECORD").write_text("".join(sorted(line for line in lines if "/direct_url.json," not in line and "/REQUESTED," not in line and "../../../bin/" not in line)), encoding="utf-8")
    for folder in ("man/man1", "man/man5"):
        _folder(home / "share" / folder, stage / "usr/share" / folder)
    for folder in ("bash-completion/completions", "zsh/site-functions", "fish/vendor_completions.d"):
        _folder(home / "share" / folder, stage / "usr/share" / folder.replace("site-functions", "vendor-completions"))
    shutil.rmtree(home / "share")
    for page in (stage / "usr/share/man").rglob("*.[0-9]"):
        _compress(page)
    code = [path for path in site.rglob("*.so*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    for path in code:
        path.chmod(0o644)
    # What auditwheel put beside a package names its neighbours by their place in the file, which strip would move.
    _run("strip", "--strip-unneeded", "--remove-section=.comment", *[path for path in code if ".libs/" not in str(path)])


def _daemon(stage: Path, package: Package) -> None:
    name = package.daemon
    _link(stage / "usr/sbin" / name, f"../lib/slurm-py/bin/{name}")
    if name == "slurmd":
        _link(stage / "usr/sbin/slurmstepd", "../lib/slurm-py/bin/slurmstepd")
    _copy(ROOT / f"src/slurm/commands/setup/systemd/{name}.service", stage / f"lib/systemd/system/{name}.service")
    _copy(HERE / "default" / name, stage / "etc/default" / name)
    if (HERE / "logrotate" / name).exists():
        _copy(HERE / "logrotate" / name, stage / "etc/logrotate.d" / package.name)
    if (HERE / "tmpfiles" / f"{name}.conf").exists():
        _copy(HERE / "tmpfiles" / f"{name}.conf", stage / f"usr/lib/tmpfiles.d/{package.name}.conf")
    _copy(ROOT / f"packaging/man/man8/{name}.8", stage / f"usr/share/man/man8/{name}.8")
    _compress(stage / f"usr/share/man/man8/{name}.8")


def _documents(stage: Path, package: Package, version: str) -> None:
    """copyright, changelog and overrides."""
    folder = stage / "usr/share/doc" / package.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "copyright").write_text(_copyright(stage), encoding="utf-8")
    stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    entry = f"slurm-py ({version}) unstable; urgency=medium\n\n  * Built from the repository; see CHANGELOG.md there.\n\n -- {MAINTAINER}  {stamp}\n"
    (folder / "changelog.Debian").write_text(entry, encoding="utf-8")
    _compress(folder / "changelog.Debian")
    if package.name in OVERRIDES:
        path = stage / "usr/share/lintian/overrides" / package.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line if line.startswith("#") else f"{package.name}: {line}" for line in OVERRIDES[package.name].splitlines(keepends=True)),
            encoding="utf-8")


def _copyright(stage: Path) -> str:
    lines = ["Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", "Upstream-Name: slurm-py", "", "Files: *",
        "Copyright: the authors of slurm-py", "License: Expat", ""]
    for metadata in sorted(stage.glob(f"{HOME}/lib/python3*/site-packages/*.dist-info/METADATA")):
        about = email.message_from_string(metadata.read_text(encoding="utf-8", errors="replace"))
        if about["Name"] == "slurm-py":
            continue
        licence = str(about["License-Expression"] or about["License"] or "see its metadata").splitlines()[0][:60] or "see its metadata"
        lines += [f"Files: {HOME}/lib/*/{metadata.parent.name.partition('-')[0]}*", f"Copyright: the authors of {about['Name']} {about['Version']}",
            f"License: {re.sub(r'[^A-Za-z0-9.+-]+', '-', licence).strip('-') or 'other'}",
            f" Its text lies in /{metadata.parent.relative_to(stage)}.", ""]
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    return "\n".join(lines) + "\nLicense: Expat\n" + textwrap.indent(text, " ", lambda line: True).replace(" \n", " .\n")


def _build(stage: Path, package: Package, version: str, output: Path, *, fast: bool) -> None:
    control = stage / "DEBIAN"
    shutil.rmtree(control, ignore_errors=True)
    control.mkdir()
    minor = subprocess.run([PYTHON, "-c", "import sys; print(sys.version_info.minor)"], capture_output=True, text=True, check=True).stdout.strip()
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    depends = f"slurm-py (= {version}), init-system-helpers (>= 1.54)" if package.daemon else (
        f"python3 (>= 3.{minor}), python3 (<< 3.{int(minor) + 1}), libc6 (>= 2.34), libstdc++6, adduser")
    size = sum(path.stat(follow_symlinks=False).st_size for path in stage.rglob("*") if path.is_file()) // 1024
    fields = {
        "Package": package.name, "Version": version, "Architecture": "all" if package.daemon else architecture, "Maintainer": MAINTAINER,
        "Installed-Size": str(size), "Depends": depends, "Recommends": "" if package.daemon else "munge",
        "Suggests": "" if package.daemon else "bash-completion", "Conflicts": package.conflicts, "Section": "admin", "Priority": "optional",
        "Description": package.summary + "\n" + textwrap.indent(textwrap.dedent(package.text), " "),
    }
    (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items() if value), encoding="utf-8")
    conffiles = sorted(f"/{path.relative_to(stage)}" for path in (stage / "etc").rglob("*") if path.is_file()) if (stage / "etc").exists() else []
    if conffiles:
        (control / "conffiles").write_text("\n".join(conffiles) + "\n", encoding="utf-8")
    for name in ("preinst", "postinst", "prerm", "postrm"):
        source = HERE / "scripts" / f"{'daemon' if package.daemon else 'base'}.{name}"
        if source.exists():
            text = source.read_text(encoding="utf-8").replace("@DAEMON@", package.daemon)
            (control / name).write_text(text, encoding="utf-8")
            (control / name).chmod(0o755)
    _sums(stage, control / "md5sums")
    _run("dpkg-deb", "--root-owner-group", *(("-Zgzip", "-z1") if fast else ("-Zxz", "-z3")), "--build", stage, output / f"{package.name}_{version}_{fields['Architecture']}.deb")


def _sums(stage: Path, path: Path) -> None:
    files = sorted(one for one in stage.rglob("*") if one.is_file() and not one.is_symlink() and "DEBIAN" not in one.relative_to(stage).parts[:1])
    path.write_text("".join(f"{hashlib.md5(one.read_bytes()).hexdigest()}  {one.relative_to(stage)}\n" for one in files), encoding="utf-8")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    path.chmod(0o644)


def _folder(source: Path, path: Path) -> None:
    for one in sorted(source.iterdir()):
        _copy(one, path / one.name)


def _compress(path: Path) -> None:
    with open(f"{path}.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(path.read_bytes())
    path.unlink()


if __name__ == "__main__":
    sys.exit(main())
