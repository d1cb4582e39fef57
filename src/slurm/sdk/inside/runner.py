"""`python -m slurm.runner`: what a job's script calls. Loads the call, makes it, writes what came of it.

    --task NAME --folder DIR --key KEY [--base N]    a job that the SDK submitted; --base: element N + SLURM_ARRAY_TASK_ID of an array
    --task NAME --args JSON                          by hand: NAME is module:function, file.py:function, or a function of a file here;
                                                     a JSON object holds keyword arguments, a list positional ones

Every element of an array pays for what is imported here: nothing heavy at the top.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.sdk.calls.folder import JobFiles, make_private, read_item
from slurm.sdk.calls.pickling import Call, Envelope, loads, python_version, write_result
from slurm.sdk.errors import UNTOLD, PackagingError, ResultUnwritten
from slurm.sdk.inside import awaiting, loading, program


def keep(files: JobFiles, ranks: int = 1) -> None:
    """Put the result of these files, which is whole, under its name in the cache; several jobs may do the same. A failure is told and costs
    nothing else.

    Of a job with several tasks the results of all, once there are all: another task may yet fail. Each looks when it has its own, so the
    last one sees them.
    """
    path = read_item(files.cache, files.index or 0).decode()
    if not path or not all(os.path.exists(files.rank_result(rank)) for rank in range(ranks) if ranks > 1):
        return
    try:
        make_private(os.path.dirname(path))
        for rank in reversed(range(ranks)):  # by that of rank 0 it is found
            _put(files.rank_result(rank), JobFiles.beside(path, rank))
    except OSError as error:
        print(f"slurm.runner: the result was not put into the cache: {path}: {error.strerror}", file=sys.stderr)


def _put(result: str, path: str) -> None:
    new = f"{path}.{os.uname().nodename}.{os.getpid()}.new"
    try:
        try:
            os.link(result, new)
        except OSError:
            import shutil  # another disk, or one without links

            shutil.copyfile(result, new)
        os.replace(new, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)  # replacing a link by another to the same file leaves both


USAGE_ERROR = 2
Loaded = tuple[Any, tuple[Any, ...], dict[str, Any], Any]
"""A function, what to call it with, and how it wants to be tried again."""


class Rank(NamedTuple):
    """One of the tasks of a job, of how many; `again`: after an earlier attempt."""

    number: int
    of: int
    again: bool


_OPTIONS = ("task", "args", "folder", "key", "base")
_HELP = """\
usage: python -m slurm.runner --task NAME [--args JSON]

Calls a function by hand, as its job would, and prints as JSON what it returns.
NAME is MODULE:FUNCTION, FILE.py:FUNCTION, or a function that one file of this folder defines.
JSON is an object of keyword arguments or a list of positional ones, such as '{"lr": 0.001}'.

Jobs of the SDK call it with --folder, --key and --base too."""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one task; the exit status of its job."""
    environ = os.environ if environ is None else environ
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] in (["--help"], ["-h"]):
        print(_HELP)
        return 0
    options = _options(argv)
    if isinstance(options, str):
        print(f"slurm.runner: {options}", file=sys.stderr)
        return USAGE_ERROR
    if "folder" not in options:
        return _by_hand(options["task"], options.get("args", "{}"), environ)
    index = int(options["base"]) + int(environ["SLURM_ARRAY_TASK_ID"]) if "base" in options else None
    return run(JobFiles(options["folder"], options["key"], index), index, environ)


def run(files: JobFiles, index: int | None, environ: Mapping[str, str]) -> int:
    """Make the call that lies in these files and write what comes of it, `index` being the element of an array; the exit status."""
    rank = _rank(environ)
    for left in (files.rank_result(rank.number), *([files.error] if rank.number == 0 else [])):
        if rank.again and os.path.exists(left):
            os.unlink(left)  # by an earlier attempt
    told = None
    try:
        envelope = _envelope(files)
        if envelope.callbacks:
            from slurm.sdk.callbacks.inside import Inside  # few jobs have callbacks

            told = Inside(files, environ)
        value = _called(envelope, files, index, environ, told)
    except SystemExit as exit:
        return _exited(files, environ, rank, exit, told)
    except BaseException as error:
        # Whatever it is, the submitter is told.
        return _failed(files, environ, rank, error, told)
    status = _returned(files, environ, rank, value, told)
    if envelope.keep and status == 0:
        from slurm.sdk.inside.runner import keep  # few results are cached

        keep(files, rank.of)
    return status


def _called(envelope: Envelope, files: JobFiles, index: int | None, environ: Mapping[str, str], told: Any) -> Any:
    """What the task returns, tried as often as it wishes. Ranks of a job are not tried again one by one: the others would wait for them."""
    if _rank(environ).of > 1:
        from slurm.sdk.inside.runtime import export_ranks  # few tasks ask for it

        export_ranks(os.environ)
    if environ is os.environ:
        faulthandler.enable(2)  # what ends the interpreter itself names the line of Python on standard error
    function, args, kwargs, retry = _load(envelope, files, index)
    if environ is os.environ:
        _log()

    def call() -> Any:
        if environ is not os.environ:
            return within()
        with program.standing_in(function, files.call):
            return within()

    def within() -> Any:
        if not envelope.inject and not envelope.cluster and told is None:
            return function(*args, **kwargs)
        from slurm.sdk.inside.calling import called  # few tasks need it

        return called(envelope, files, environ, function, args, kwargs, told)

    if retry is None or environ.get("SLURM_NTASKS", "1") != "1":
        return call()
    from slurm.sdk.following.retry import tried  # few tasks are tried again

    def again() -> Any:
        nonlocal function, args, kwargs
        function, args, kwargs, _ = _load(envelope, files, index)
        return call()

    return tried(retry, environ, call, again)


def _log() -> None:
    """Let what is logged from INFO on reach standard error, as people expect of a job, until the task sets `logging` up itself.

    To import it costs too much.
    """
    logging = sys.modules.get("logging")
    if logging is not None and not logging.root.handlers and logging.root.level == logging.WARNING and logging.lastResort is not None:
        logging.root.setLevel(logging.INFO)
        logging.lastResort.setLevel(logging.INFO)
        logging.lastResort.setFormatter(logging.Formatter(logging.BASIC_FORMAT))


def _envelope(files: JobFiles) -> Envelope:
    with open(files.call, "rb") as file:
        envelope: Envelope = pickle.load(file)
    if envelope.python != python_version():
        raise PackagingError(
            f"the task was submitted from Python {'.'.join(map(str, envelope.python))} and cannot run in {sys.executable}, which is Python "
            f"{'.'.join(map(str, python_version()))}: name another with Cluster(python=…)")
    sys.path[:0] = [entry for entry in envelope.path if entry not in sys.path]
    sys.path += [entry for entry in envelope.behind if entry not in sys.path]
    return envelope


def _load(envelope: Envelope, files: JobFiles, index: int | None) -> Loaded:
    try:
        with loading.imports():
            call: Call = loads(envelope.call)
            args, kwargs = (call.args, call.kwargs) if index is None else loads(read_item(files.items, index))
            function = awaiting.waited(loading.function(call.target))
    except Exception as error:
        # Whatever the user's modules raise when they are imported: that it was there is worth saying.
        error.add_note(f"(raised on {os.uname().nodename} while {sys.executable} loaded what it was to call, before {envelope.task} began)")
        if isinstance(error, ModuleNotFoundError):
            error.add_note(f'(to have {error.name} there: packaging="wheel" installs what your project depends on and '
                           'packaging_dependencies= names)')
        raise
    return function, args, kwargs, call.retry


def _rank(environ: Mapping[str, str]) -> Rank:
    """Which of the job's tasks this is; inline there is rank 0 only."""
    again = environ.get("SLURM_RESTART_COUNT", "0") != "0" or "SLURM_SDK_ATTEMPT" in environ
    return Rank(int(environ.get("SLURM_PROCID") or 0), int(environ.get("SLURM_NTASKS") or 1) if environ is os.environ else 1, again)


def _exited(files: JobFiles, environ: Mapping[str, str], rank: Rank, exit: SystemExit, told: Any) -> int:
    """A task that calls sys.exit(0) has returned None; any other status is a failure."""
    if exit.code is None or exit.code == 0:
        return _returned(files, environ, rank, None, told)
    _failed(files, environ, rank, exit, told)
    return exit.code if isinstance(exit.code, int) else 1


def _returned(files: JobFiles, environ: Mapping[str, str], rank: Rank, value: Any, told: Any) -> int:
    try:
        write_result(files.rank_result(rank.number), value)
    except ResultUnwritten as error:
        return _failed(files, environ, rank, error, told)
    if told is not None:
        told.end()
    return 0


def _failed(files: JobFiles, environ: Mapping[str, str], rank: Rank, error: BaseException, told: Any) -> int:
    """Tell the submitter, in a file, whoever reads standard error, and the callbacks; the exit status.

    Of several tasks the first that fails is told: the others often fail because it did.
    """
    from slurm.sdk.calls.raised import note_where, story, write_error  # only when something was raised

    note_where(error, environ)
    if rank.of > 1:
        error.add_note(f"(raised by rank {rank.number} of {rank.of}, on {os.uname().nodename})")
    text = story(error)
    status = 1
    try:
        if rank.of == 1 or rank.again or not os.path.exists(files.error):
            write_error(files.error, error, text)
    except OSError as problem:
        text += f"slurm.runner: the error could not be written to {files.error}: {problem}\n"
        status = UNTOLD
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the disk is full for it too; the exit code still arrives
    if told is not None:
        told.end(error, text)
    return status


def _options(argv: Sequence[str]) -> dict[str, str] | str:
    """The options of the command line, or what is wrong with it."""
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in _OPTIONS:
            return f"unknown option {word}; valid: {', '.join('--' + one for one in _OPTIONS)}"
        given = value if equals else next(words, None)
        if given is None:
            return f"{word} takes a value"
        found[name] = given
    if "task" not in found:
        return "--task NAME is missing"
    if ("folder" in found) != ("key" in found):
        return "--folder and --key belong together"
    return found


def _by_hand(task: str, text: str, environ: Mapping[str, str]) -> int:
    import json

    from slurm.sdk.inside import injection  # few tasks ask for it
    from slurm.sdk.inside.runtime import build_job_context  # few tasks ask for it

    try:
        given = json.loads(text)
    except ValueError as error:
        print(f"slurm.runner: --args is no JSON: {error}", file=sys.stderr)
        return USAGE_ERROR
    if not isinstance(given, dict | list):
        print('slurm.runner: --args takes an object of keyword arguments or a list, such as \'{"lr": 0.001}\'', file=sys.stderr)
        return USAGE_ERROR
    try:
        with loading.imports():
            function = loading.by_hand(task)
    except LookupError as error:
        print(f"slurm.runner: {error.args[0]}", file=sys.stderr)
        return USAGE_ERROR
    args, kwargs = ((), given) if isinstance(given, dict) else (tuple(given), {})
    signature = injection.signature_of(function)
    try:
        if signature is not None:
            signature.bind_partial(*args, **kwargs)  # an argument that there is not is told before one that is missing
        call = injection.bound(signature, args, kwargs, workflow=False)
    except TypeError as error:
        print(f"slurm.runner: --args does not fit {task}{signature}: {error}", file=sys.stderr)
        return USAGE_ERROR
    value = awaiting.waited(function)(*call.args, **{**dict.fromkeys(call.inject, build_job_context(environ)), **call.kwargs})
    print(json.dumps(value, default=repr))
    return 0


if __name__ == "__main__":
    sys.exit(main())
