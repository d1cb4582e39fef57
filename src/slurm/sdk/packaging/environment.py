"""Inside a job, or on the login node: make the virtual environment that a recipe describes, unless it is there. Run as a program, by the
Python below it.

    python -m slurm.sdk.packaging.environment RECIPE ENVIRONMENT [--folder DIR --key KEY [--base N]]

All jobs of one content share one environment. The first makes it under a lock that its pip holds too, so that nobody begins anew while an
orphaned pip still writes; the others wait. `.ready` is written last: an environment without it is thrown away.
With --folder the submitter is told of a failure as of one of the task.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import PackagingError

READY = ".ready"
LINES, LETTERS = 30, 4000
OUTSIDE = (22, 3)
"""From this version on pip installs into environments that have none, which saves half the time."""
_VERSIONS = """import sys
print("%d.%d" % sys.version_info[:2])
try:
    import pip
except ImportError:
    sys.exit()
print(pip.__version__)"""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Make the environment; the exit status."""
    environ = os.environ if environ is None else environ
    recipe, folder, *words = sys.argv[1:] if argv is None else argv
    given = dict(zip(words[::2], words[1::2], strict=True))
    try:
        make(recipe, folder, environ, lambda text: print(f"slurm: {text}", file=sys.stderr, flush=True))
    except (PackagingError, OSError) as error:
        return _failed(error if isinstance(error, PackagingError) else PackagingError(_where(environ) + str(error)), given, environ)
    return 0


def make(recipe: str, folder: str, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Make the environment `folder` by a file of `wheel` unless it is ready; PackagingError with what pip said, OSError as the disk gives
    it."""
    with open(f"{folder}.lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for {lock.read().strip() or 'another job'}, which makes the environment {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if ready(folder):
            return
        lock.seek(0)
        lock.truncate()
        lock.write(f"job {environ.get('SLURM_JOB_ID', '?')} on {os.uname().nodename}")
        lock.flush()
        say(f"making the environment {folder}, once for this content")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _install(recipe, folder, environ, lock)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # what it holds of a full disk is wanted
            raise
        with open(f"{folder}/{READY}", "w", encoding="utf-8") as mark:
            os.fsync(mark.fileno())


def ready(folder: str) -> bool:
    """Whether an environment is whole, and the Python below it still there."""
    return os.path.exists(f"{folder}/{READY}") and os.access(f"{folder}/bin/python", os.X_OK)


def _install(path: str, folder: str, environ: Mapping[str, str], lock: IO[str]) -> None:
    with open(path, encoding="utf-8") as file:
        recipe: dict[str, Any] = json.load(file)
    base = recipe["python"]
    variables = {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    variables |= {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    if recipe["index"]:
        # Not on the command line, which everybody on the node can read: addresses of indexes may hold passwords.
        before = [environ[name] for name in ("PIP_EXTRA_INDEX_URL",) if environ.get(name)]
        variables |= {"PIP_EXTRA_INDEX_URL": " ".join([*before, *recipe["index"]]), "UV_EXTRA_INDEX_URL": " ".join(recipe["index"])}

    def run(*words: str) -> str:
        done = subprocess.run(words, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              pass_fds=[lock.fileno()], check=False)
        if done.returncode:
            raise PackagingError(f"{_where(environ)}`{shlex.join(words)}` ended with {done.returncode}:\n{tail(done.stdout)}")
        return done.stdout

    try:
        found, *pip = run(*base, "-c", _VERSIONS).split()
    except FileNotFoundError as error:
        raise PackagingError(f"{_where(environ)}there is no {error.filename} on PATH={environ.get('PATH', '')}: name another with "
                             "packaging_python_executable=, or load it with Cluster(…, setup=\"module load python\")") from error
    if found != recipe["version"]:
        raise PackagingError(f"{_where(environ)}{shlex.join(base)} is Python {found}, and the task was submitted from Python "
                             f"{recipe['version']}: name another "
                             "with packaging_python_executable=")
    uv = shutil.which("uv", path=variables.get("PATH"))
    links = [word for link in recipe["links"] for word in ("--find-links", link)]
    if uv:
        interpreter = run(*base, "-c", "import sys; print(sys.executable)").strip()
        run(uv, "venv", "--quiet", "--python", interpreter, *(["--seed"] if recipe["upgrade_pip"] else []), folder)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", f"{folder}/bin/python"]
    elif pip and _number(pip[0]) >= OUTSIDE and not recipe["upgrade_pip"]:
        run(*base, "-m", "venv", "--without-pip", folder)
        install = [*base, "-m", "pip", "--python", f"{folder}/bin/python", "install", "--quiet"]
    else:
        run(*base, "-m", "venv", folder)
        install = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet"]
    if recipe["upgrade_pip"]:
        run(*install, *links, "--upgrade", "pip")
    run(*install, *links, *(f"{os.path.dirname(path)}/{wheel}" for wheel in recipe["wheels"]), *recipe["packages"])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def tail(text: str) -> str:
    """The end of what a program said."""
    return "\n".join(text.strip().splitlines()[-LINES:])[-LETTERS:]


def _where(environ: Mapping[str, str]) -> str:
    job = environ.get("SLURM_JOB_ID")
    return f"the environment for the job cannot be made on {os.uname().nodename}{f' (job {job})' if job else ''}: "


def _failed(error: PackagingError, given: Mapping[str, str], environ: Mapping[str, str]) -> int:
    print(f"slurm: {error}", file=sys.stderr, flush=True)
    if "--folder" in given:
        from slurm.sdk.calls.raised import write_error  # only when something was raised

        index = int(given["--base"]) + int(environ["SLURM_ARRAY_TASK_ID"]) if "--base" in given else None
        try:
            write_error(JobFiles(given["--folder"], given["--key"], index).error, error, str(error))
        except OSError as problem:
            print(f"slurm: the submitter cannot be told: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
