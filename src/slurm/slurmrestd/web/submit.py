"""The form that submits: its fields are rows of the option table, read by sbatch's own readers, and tried before they are submitted."""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from slurm.model.errors import InvalidRequest, SlurmError
from slurm.notation import moment
from slurm.options import tables
from slurm.options.option import DECLINED, EFFECTIVE, Option
from slurm.options.resolve import resolve, split
from slurm.slurmrestd.job_description import DEFAULT_PATH
from slurm.slurmrestd.web import job
from slurm.slurmrestd.web.queue import partitions
from slurm.slurmrestd.web.visit import Answer, Moved, Page, Visit

FIRST = (
    "job-name", "partition", "time", "nodes", "ntasks", "cpus-per-task", "mem", "gpus", "array", "dependency", "output", "chdir", "account",
    "qos")
"""Options that most jobs need; all others are behind a click."""
EXAMPLE = "#!/bin/bash\n\necho \"Hello from $(hostname)\"\n"
_NAME = "web"
_NOT_HERE = frozenset({"nodefile", "export-file", "get-user-env", "uid", "gid", "bcast", "wrap"})
"""What reads files or names users where the command runs: here that is slurmrestd's machine."""


class Entry(NamedTuple):
    """A field of the form: an option and what was written into it."""

    option: Option
    value: str
    words: tuple[str, ...]

    @property
    def is_flag(self) -> bool:
        """Whether it is ticked, not written."""
        return self.option.value == "flag"


class Asked(NamedTuple):
    """What the form asks for: options as words of a command line, script, the fields of a JobRequest, and notes about them."""

    words: list[str]
    script: str
    request: dict[str, object]
    notes: list[str]


def options() -> list[Option]:
    """The options of the form: those of sbatch that say something about a job."""
    return [one for one in tables.rows("sbatch") if one.status in (EFFECTIVE, DECLINED) and (one.sets or one.name in FIRST)
        and one.status != DECLINED and one.value != "level" and one.name not in _NOT_HERE]


def show(visit: Visit) -> Page:
    """GET /submit; with ?like=JOB what that job was submitted with."""
    values: dict[str, str] = {}
    script = EXAMPLE
    like = visit.asked("like")
    if like:
        found = visit.doors.cluster.report("job", [like])["jobs"][0]
        script = visit.doors.cluster.script(like)
        values = _like(found)
    return _page(visit, values, script, [])


def _like(found: job.Record) -> dict[str, str]:
    """The options of a job's command line, as values of the form; its script brings the rest."""
    values = {"job-name": found["name"], "chdir": found["current_working_directory"]}
    known = {one.name for one in options()}
    try:
        given, _ = split("sbatch", shlex.split(found["submit_line"])[1:])
    except (ValueError, SlurmError):  # a line that another program wrote
        return values
    return values | {
        one.option.name: "on" if one.option.value == "flag" else one.text or "" for one in given if one.option.name in known}


def _page(visit: Visit, values: Mapping[str, str], script: str, wrong: list[str]) -> Page:
    names = partitions(visit)
    entries = {one.name: Entry(one, values.get(one.name, ""), tuple(names) if one.name == "partition" else ()) for one in options()}
    return Page("submit.html", {
        "title": "Submit", "first": [entries[name] for name in FIRST if name in entries],
        "others": [entry for name, entry in entries.items() if name not in FIRST], "script": script, "wrong": wrong,
        "folder": values.get("chdir") or _home(visit), "key": secrets.token_hex(16)},
        422 if wrong else 200)


def _home(visit: Visit) -> str:
    try:
        return pwd.getpwnam(visit.doors.user).pw_dir
    except KeyError:
        return "/"


def asked(visit: Visit) -> Asked:
    """What the form says; the SlurmError of the first option that is wrong."""
    words = []
    for one in options():
        value = visit.given(f"option-{one.name}")
        if value:
            words.append(f"--{one.name}" if one.value == "flag" else f"--{one.name}={value}")
    script = (visit.form.get("script") or [""])[0].replace("\r\n", "\n")
    resolved = resolve("sbatch", words, {}, script=script, now=visit.now)
    if not script.startswith("#!"):
        raise InvalidRequest(message="The script's first line must start with #! followed by the path to an interpreter",
            hints=["begin it with #!/bin/bash"])
    if any("/" in str(resolved.request.get(name, "")) for name in ("nodelist", "exclude")):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=["a file of hosts cannot be read from here: write the nodes themselves"])
    request = dict(resolved.request)
    request["name"] = request.get("name") or _NAME
    request["work_dir"] = os.path.join(_home(visit), str(request.get("work_dir") or ""))
    request["submit_host"], request["submit_line"] = visit.host, shlex.join(["sbatch", *words])
    return Asked(words, script, request, resolved.notes)


def check(visit: Visit) -> Page:
    """POST /submit/check: what is wrong with the form as it stands, or the command line that it is and when such a job would start."""
    try:
        found = asked(visit)
    except SlurmError as error:
        return Page("check.html", {"wrong": error.lines(), "line": "", "start": "", "notes": []})
    line = shlex.join(["sbatch", *found.words, "job.sh"])
    try:
        told = visit.doors.cluster.will_run(found.request)
    except SlurmError as error:
        return Page("check.html", {"wrong": error.lines(), "line": line, "start": "", "notes": found.notes})
    start = "" if not told.start else "at once" if told.start - visit.now < 2 else f"at {moment.show(told.start)}"
    where = f" on {told.nodes}, with {told.processors} CPU{'s' if told.processors != 1 else ''}" if told.nodes else ""
    return Page("check.html", {"wrong": [], "line": line, "notes": found.notes,
        "start": f"It would start {start}{where}." if start else "When it would start cannot be told."})


def submit(visit: Visit) -> Answer:
    """POST /submit: queue the job, once however often the button was pressed; the form again where it is refused."""
    if visit.given("action") == "check":
        return check(visit)
    try:
        found = asked(visit)
        payload: dict[str, object] = {"script": found.script, "argv": [], "environment": _environment(visit)}
        made = visit.doors.cluster.submit(found.request, payload, visit.given("key")[:64])
    except SlurmError as error:
        values = {one.name: visit.given(f"option-{one.name}") for one in options()}
        return _page(visit, values, (visit.form.get("script") or [""])[0], error.lines())
    for line in (*found.notes, *made.warnings):
        visit.session.tell("failed", line)
    visit.session.tell("done", f"Submitted batch job {made.job_id}")
    return Moved(f"/job/{made.job_id}")


def _environment(visit: Visit) -> dict[str, str]:
    """What a log-in would set; a browser has no environment to bring along."""
    user = visit.doors.user
    found = {"PATH": DEFAULT_PATH, "USER": user, "LOGNAME": user, "HOME": _home(visit)}
    try:
        found["SHELL"] = pwd.getpwnam(user).pw_shell
    except KeyError:
        return found
    return found
