"""From a call of a task to a job: check it, pickle it, write its folder and its batch script, hand it in."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from inspect import Signature
from types import MappingProxyType
from typing import Any, NamedTuple

import cloudpickle

from slurm.sdk import options
from slurm.sdk.array_job import ArrayJob, Chunk
from slurm.sdk.backends.backend import Distant, Outputs, chdir
from slurm.sdk.calls import shipping
from slurm.sdk.calls.batches import arguments
from slurm.sdk.calls.dependencies import depend
from slurm.sdk.calls.fingerprint import Kept
from slurm.sdk.calls.folder import JobFiles, folder_name, pack_items
from slurm.sdk.calls.pickling import PROTOCOL, Call, Envelope, Promise, dumps, python_version
from slurm.sdk.errors import BackendError, SubmissionError
from slurm.sdk.following.attempts import Attempts, Submission
from slurm.sdk.following.retry import ATTEMPT
from slurm.sdk.inside import injection, loading
from slurm.sdk.inside.injection import signature_of
from slurm.sdk.job import Job
from slurm.sdk.options import several_tasks
from slurm.sdk.packaging import choice
from slurm.sdk.packaging.base import PackagingStrategy, quoted
from slurm.sdk.place import Place
from slurm.sdk.tasks import SlurmTask

NOTHING: Mapping[str, str] = MappingProxyType({})


def render(files: JobFiles, task: str, asked: Mapping[str, str | None], packaging: PackagingStrategy, *, array: bool = False, base: int = 0,
           setup: str = "", home: str = "", environ: Mapping[str, str] = NOTHING, attempt: int = 0) -> str:
    """The text of the script. `asked` are the options with all defaults in, `packaging` is prepared and says how the runner is run, `setup`
    are shell lines before that, for which relative paths begin at `home`. So do they in `environ`, the variables that jobs on this disk
    have from the program.

    With several tasks every one of them runs the runner, by srun. `base` is added to the ids of an array's elements, `attempt` counts those
    before.
    """
    lines = ["#!/bin/bash", *options.directives(asked), "", f"export JOB_DIR={shlex.quote(files.folder)}"]
    lines.append(f"export SLURM_JOBS_DIR={shlex.quote(os.path.dirname(os.path.dirname(files.folder)))}")
    lines += _whole(home, environ)
    if packaging.source:
        lines.append(f"export PYTHONPATH={shlex.quote(packaging.source)}${{PYTHONPATH:+:$PYTHONPATH}}")
    lines += [f"export SLURM_SDK_PYTHON={'.'.join(map(str, python_version()))}", "export PYTHONUNBUFFERED=1",
        *([f"export {ATTEMPT}={attempt}"] if attempt else []), *_set_up(setup, home)]
    lines += packaging.lines(files, base if array else None)
    words = [*packaging.command(), "--task", task, "--folder", files.folder, "--key", files.array_key,
        *(["--base", str(base)] if array else [])]
    return "\n".join((*lines, *packaging.launch(quoted(words), " ".join(_launcher(asked)), files))) + "\n"


def _set_up(setup: str, home: str) -> list[str]:
    """The shell lines of the user's, run at `home` where the node has that folder; those that lead elsewhere are followed."""
    if not setup or not home:
        return [setup] if setup else []
    there = shlex.quote(home)
    return [f"pushd -- {there} >/dev/null 2>&1", setup, f'[ "$PWD" != {there} ] || popd >/dev/null 2>&1']


def _whole(home: str, environ: Mapping[str, str]) -> list[str]:
    """Lines that say the relative folders of PATH and PYTHONPATH in full, where the job has these variables from the program."""
    lines = []
    for name in ("PATH", "PYTHONPATH"):
        folders = environ[name].split(":") if environ.get(name) else []
        if any(not os.path.isabs(one) for one in folders):
            whole = ":".join(os.path.normpath(os.path.join(home, one)) for one in folders)
            lines.append(f'[ "${name}" != {shlex.quote(environ[name])} ] || {name}={shlex.quote(whole)}')
    return lines


def _launcher(asked: Mapping[str, str | None]) -> list[str]:
    return ["srun", "--kill-on-bad-exit=1"] if options.several_tasks(asked) else []


Begun = Callable[[JobFiles], None]


class Prepared(NamedTuple):
    """A job ready to be handed in."""

    files: JobFiles
    options: dict[str, str | None]
    call: bytes
    packaging: PackagingStrategy
    awaits: tuple[Promise, ...]


def submit_call(cluster: Place, base: str, task: SlurmTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
                begun: Begun | None = None) -> Job[Any]:
    """Submit one call; its folder is made below `base`. TypeError for arguments that do not fit or cannot travel, SubmissionError else.

    `begun` hears of the files before the job is handed in, unless its result is cached.
    """
    _guard(task)
    bound = _bound(task, signature_of(task.unwrapped), args, kwargs, f"{task.name}()")
    kept = Kept(cluster, task, bound.inject) if task.cache is not None else None
    key = kept.key(bound.args, bound.kwargs) if kept is not None else ""
    if kept is not None and (hit := kept.found([key])):
        found = hit[key]
        found.remember(task, args, kwargs)
        return found
    prepared = _prepare(cluster, base, task, Call(task.target(), bound.args, bound.kwargs, task.retry), bound.inject, (), keep=bool(key))
    files, options = prepared.files, prepared.options
    options.setdefault("output", _literal(files.stdout))
    options.setdefault("error", _literal(files.stderr))
    callbacks = _tell_begin(cluster, task, prepared, options)
    _write(cluster, [(files.call, prepared.call, 0o600), *callbacks, *_kept(kept, files, [key])], files)
    if begun is not None:
        begun(files)
    made = _submission(cluster, prepared, task, None)
    asked = dict(options)
    depend(asked, prepared.awaits, f"@task of {task.name}")
    name = made.submit(asked, (), 0, "")
    out, err = Outputs.of(options, str(task), cluster.backend.around()).paths(name)
    job: Job[Any] = Job(name, cluster, files, name=str(task), options=asked, stdout_path=out, stderr_path=err)
    job.workflow, job.cache_key, job.awaits = task.workflow, key, prepared.awaits
    job.remember(task, args, kwargs)
    same = {"output": _literal(out or "") or options["output"], "error": _literal(err or "") or options["error"]}
    _track(cluster, task, made._replace(options={**options, **same}), {name: None})
    if cluster.audience() is not None:
        cluster.audience().submitted(task, job, asked)
    return job


def _bound(task: SlurmTask[..., Any], signature: Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any],
        what: str) -> injection.Bound:
    """The arguments of a call; TypeError begins with `what` when they do not fit the function."""
    try:
        return injection.bound(signature, args, kwargs, workflow=task.workflow)
    except TypeError as error:
        raise TypeError(f"{what}: {error}") from None


def submit_map(cluster: Place, base: str, task: SlurmTask[..., Any], items: Sequence[Any], limit: int,
               begun: Begun | None = None) -> ArrayJob[Any]:
    """Submit one call an item, in as few arrays as the cluster allows; not those whose results are cached.

    Without items nothing is submitted.
    """
    _guard(task)
    given = [arguments(item) for item in items]
    calls = list(given)
    inject: dict[str, str] = {}
    signature = signature_of(task.unwrapped)
    for number, (args, kwargs) in enumerate(calls):
        bound = _bound(task, signature, args, kwargs, f"item {number} of {task.name}.map()")
        if number and bound.inject != inject:
            odd = ", ".join(sorted(bound.inject.keys() ^ inject.keys()))
            raise TypeError(f"item {number} of {task.name}.map(): {odd} is given by some items and has to come from the job for others: "
                            "give it in all or in none")
        calls[number], inject = (bound.args, bound.kwargs), bound.inject
    kept = Kept(cluster, task, inject) if task.cache is not None else None
    keys = [kept.key(*call) for call in calls] if kept is not None else [""] * len(calls)
    hits = kept.found(keys) if kept is not None else {}
    left = [number for number, key in enumerate(keys) if key not in hits]

    def remembered(array: ArrayJob[Any], numbers: Sequence[int]) -> None:
        array.remember(task, [items[number] for number in numbers], [given[number] for number in numbers])
        array.max_concurrent = limit or None

    array = _submit_calls(cluster, base, task, [calls[number] for number in left], inject, limit, kept, [keys[number] for number in left],
        begun,
                          lambda made: remembered(made, left))
    if hits:
        array.insert({number: hits[key] for number, key in enumerate(keys) if key in hits})
        remembered(array, range(len(items)))
    return array


def _submit_calls(cluster: Place, base: str, task: SlurmTask[..., Any], calls: Sequence[tuple[tuple[Any, ...], dict[str, Any]]],
        inject: dict[str, str],
                  limit: int, kept: Kept | None, keys: Sequence[str], begun: Begun | None,
                  made: Callable[[ArrayJob[Any]], None]) -> ArrayJob[Any]:
    """Submit these calls as elements; the results of those with `keys` go into the cache.

    `made` gets the array before callbacks hear of it.
    """
    pickled, found = _pickled_items(task, calls)
    prepared = _prepare(cluster, base, task, Call(task.target(), (), {}, task.retry), inject, found, keep=any(keys))
    files = prepared.files
    if not calls:
        empty: ArrayJob[Any] = ArrayJob.of(cluster, files, [], name=str(task))
        made(empty)
        return empty
    outputs = Outputs.of(prepared.options, str(task), cluster.backend.around())
    most = cluster.backend.max_array() if len(calls) > 100 else len(calls)
    asked = dict(prepared.options)
    depend(asked, prepared.awaits, f"@task of {task.name}")
    callbacks = _tell_begin(cluster, task, prepared, asked)
    _write(cluster, [(files.items, pack_items(pickled), 0o600), (files.call, prepared.call, 0o600), *callbacks, *_kept(kept, files, keys)],
        files)
    if begun is not None:
        begun(files)
    chunks: list[Chunk] = []
    for start in range(0, len(calls), most):
        chunk = Chunk("", start, min(most, len(calls) - start))
        chunks.append(_submit_chunk(cluster, prepared, task, chunk, limit, chunks))
    array: ArrayJob[Any] = ArrayJob.of(cluster, files, chunks, name=str(task), options=asked, outputs=outputs)
    for job, key in zip(array, keys, strict=True):
        job.cache_key, job.awaits = key, prepared.awaits
    made(array)
    if cluster.audience() is not None:
        cluster.audience().submitted(task, array, asked)
    return array


def _submit_chunk(cluster: Place, prepared: Prepared, task: SlurmTask[..., Any], chunk: Chunk, limit: int, before: list[Chunk]) -> Chunk:
    """Submit a part of an array.

    Where only so many may run at once, the parts run one after the other, and what is tried again after all of them.
    """
    files, options = prepared.files, dict(prepared.options)
    stem = _literal(f"{files.folder}/slurm_{files.array_key}_") + ("%a" if chunk.start == 0 else f"{chunk.start}+%a")
    options.setdefault("output", f"{stem}.out")
    options.setdefault("error", f"{stem}.err")
    made = _submission(cluster, prepared, task, chunk, limit, before)
    asked = dict(options)
    depend(asked, prepared.awaits, f"@task of {task.name}", [one.id for one in before[-1:]] if limit else ())
    done = chunk._replace(id=made.submit(asked, range(chunk.size), 0, ""))
    for name in ("output", "error"):
        options[name] = (options[name] or "").replace("%A", done.id)
    _track(cluster, task, made._replace(options=options), {f"{done.id}_{local}": local for local in range(chunk.size)})
    return done


def _submission(cluster: Place, prepared: Prepared, task: SlurmTask[..., Any], chunk: Chunk | None, limit: int = 0,
                chunks: Sequence[Chunk] = ()) -> Submission:
    """What can be submitted, and perhaps again; `chunks` are the parts of its array, as far as they have been submitted."""
    files, home = prepared.files, cluster.home
    environ = NOTHING if isinstance(cluster.backend, Distant) else os.environ

    def again(options: dict[str, str | None]) -> None:
        depend(options, prepared.awaits, f"@task of {task.name}", [one.id for one in chunks] if limit else (), left=True)

    def submit(options: dict[str, str | None], elements: Sequence[int], attempt: int, mark: str) -> str:
        script = render(files, task.name, options, prepared.packaging, array=chunk is not None, base=chunk.start if chunk else 0,
            setup=cluster.setup,
                        home=home, environ=environ, attempt=attempt)
        path = files.script + (f".{chunk.start}" if chunk is not None and chunk.start else "") + mark
        _write(cluster, [(path, script.encode(), cluster.script_permissions)], files)
        return cluster.backend.submit(script, path, options, elements, limit)

    return Submission(files, prepared.options, prepared.awaits, again, submit, chunk.start if chunk else 0, several_tasks(prepared.options))


def _track(cluster: Place, task: SlurmTask[..., Any], made: Submission, ids: Mapping[str, int | None]) -> None:
    """Let the tracker know of jobs; of those that may have to be submitted again it hears the news also when nobody waits."""
    if Attempts.needed(cluster, task.retry, made.awaits):
        cluster.tracker.guard(ids, Attempts(cluster, task.retry, made, ids))
        cluster.tracker.follow(ids)
    else:
        cluster.tracker.add(ids)


def _literal(path: str) -> str:
    """A path as a pattern that means it."""
    return path.replace("%", "%%")


def _tell_begin(cluster: Place, task: SlurmTask[..., Any], prepared: Prepared,
        options: Mapping[str, str | None]) -> list[tuple[str, bytes, int]]:
    """Tell the callbacks that a job is about to be handed in; the file of those that go with it."""
    told = cluster.audience()
    if told is None:
        return []
    told.submitting(task, prepared.files, options, prepared.packaging)
    return [(prepared.files.callbacks, told.parcel(task), 0o600)] if told.ships(task) else []


def _kept(kept: Kept | None, files: JobFiles, keys: Sequence[str]) -> list[tuple[str, bytes, int]]:
    """The file that tells the jobs where their results are cached."""
    return [(files.cache, pack_items([kept.path(key).encode() for key in keys]), 0o600)] if kept is not None and any(keys) else []


def _guard(task: SlurmTask[..., Any]) -> None:
    if loading.going_on():
        raise SubmissionError(
            f"{task.name} was called while a job was importing the module of its task: each job would submit another. Put what submits "
            "jobs "
            'under `if __name__ == "__main__":`')


def _pickled_items(task: SlurmTask[..., Any], calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]) -> tuple[list[bytes], list[Promise]]:
    pickled: list[bytes] = []
    jobs: dict[int, Promise] = {}
    for number, call in enumerate(calls):
        try:
            data, found = dumps(call)
        except TypeError as error:
            raise TypeError(f"item {number} of {task.name}.map(): {_blamed(task.unwrapped, *call, error)}") from error
        pickled.append(data)
        jobs.update((id(job), job) for job in found)
    return pickled, list(jobs.values())


def _prepare(cluster: Place, base: str, task: SlurmTask[..., Any], call: Call, inject: dict[str, str], found: Iterable[Promise], *,
             keep: bool) -> Prepared:
    try:
        data, inside = _pickled(call)
    except TypeError as error:
        raise _blamed(task.unwrapped, call.args, call.kwargs, error) from error
    key = f"{time.strftime('%Y%m%d_%H%M%S')}_{uuid.uuid4().hex[:8]}"
    files = JobFiles(os.path.join(base, folder_name(str(task)), key), key)
    options = {**cluster.defaults(), **task.sbatch_options}
    options["chdir"] = chdir(options, cluster.home, files.folder)
    awaits = (*found, *inside, *task.dependencies)
    packaging = choice.chosen(task, cluster, cluster.packaging_defaults)
    told = cluster.audience()
    began = told.packaging(task, packaging.config) if told is not None else 0.0
    with _disk(base), told.builds() if told is not None else nullcontext():
        packaging.prepare(task, cluster)
    if told is not None:
        told.packaged(task, packaging, began)
    inside_job = b""
    if task.workflow:
        inside_job = cluster.travelling(choice.for_children(packaging, cluster, cluster.packaging_defaults, task))
    envelope = Envelope(data, task.name, python_version(), packaging.path, inject, inside_job, told is not None and told.ships(task),
        packaging.behind,
                        keep)
    return Prepared(files, options, cloudpickle.dumps(envelope, PROTOCOL), packaging, awaits)


def _pickled(call: Call) -> tuple[bytes, list[Promise]]:
    return dumps(call) if isinstance(call.target, tuple) else pickled(call.target, call)


def pickled(defined: object, value: object) -> tuple[bytes, list[Promise]]:
    """The bytes of `value`, and the jobs in it.

    `defined`, a function or class of it that travels by value, takes along what its own module defines.
    """
    module = sys.modules.get(getattr(defined, "__module__", "") or "")
    if module is None or module.__name__ == "__main__" or hasattr(module, "__path__"):
        return dumps(value)
    by_value = module.__name__ in cloudpickle.list_registry_pickle_by_value()
    if by_value or not _is_users(module):
        return dumps(value)
    cloudpickle.register_pickle_by_value(module)
    try:
        return dumps(value)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _is_users(module: Any) -> bool:
    """Whether a module may be unknown to another interpreter: it lies in no place that all of them look into."""
    file = getattr(module, "__file__", None)
    return file is not None and not shipping.is_usual(os.path.dirname(file))


def _write(cluster: Place, contents: Iterable[tuple[str, bytes, int]], files: JobFiles) -> None:
    with _disk(files.folder):
        for path, data, mode in contents:
            cluster.backend.write(path, data, mode)


@contextmanager
def _disk(folder: str) -> Iterator[None]:
    """What the disk refuses becomes a SubmissionError; a cluster that does not answer is none of that."""
    try:
        yield
    except BackendError:
        raise
    except OSError as error:
        raise SubmissionError(f"the job's folder cannot be written: {error}. Cluster(job_base_dir=…) names another place",
            metadata={"target_job_dir": folder}) from error


def _blamed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], error: TypeError) -> TypeError:
    """`error`, as said of the first argument, or of the first variable that the function uses, that cannot be pickled by itself."""
    name = getattr(function, "__name__", type(function).__name__)
    for what, value in _parts(name, function, args, kwargs):
        try:
            dumps(value)
        except TypeError as problem:
            kind = type(value)
            return TypeError(str(problem).replace("this ", f"{what} (a {kind.__module__}.{kind.__qualname__}) ", 1))
    return error


def _parts(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    try:
        bound = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        # some builtins tell nothing about themselves
        bound = {**{f"number {number}": value for number, value in enumerate(args, 1)}, **kwargs}
    for parameter, value in bound.items():
        yield f"argument {parameter} of {name}", value
    if inspect.isfunction(function):
        used = inspect.getclosurevars(function)
        for variable, value in {**used.globals, **used.nonlocals}.items():
            yield f"the variable {variable} that {name} uses", value
