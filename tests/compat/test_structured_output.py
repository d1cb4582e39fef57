"""--json and --yaml against the recorded sessions: same keys in the same order, same values, same writing."""

import json
from typing import Any

import pytest

from slurm.commands import scontrol, sinfo, squeue
from tests.compat import lab
from tests.compat.transcript import find

FACTS_OF_THE_HOST = {
    "association_id", "flags", "command", "current_working_directory", "stdout_expanded", "submit_line", "last_sched_evaluation",
}
"""Differ by run: numbers of the accounting database, paths, USING_DEFAULT_ACCOUNT and its like."""
_IN_DETAIL = {
    59: {"max_nodes"},  # -N was not given: Slurm sets a limit of 1 for some held jobs
    91: {"max_nodes"},
    98: {"eligible_time"}, 99: {"eligible_time"}, 100: {"eligible_time"},  # Slurm: when the array's limit let it go
    63: {"accrue_time"},
}


def _recorded_jobs() -> dict[int, dict[str, Any]]:
    report = json.loads("\n".join(find("squeue", "squeue --json").stdout))
    return {job["job_id"]: job for job in report["jobs"]}


def _our_report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.run(squeue.main, ["squeue", "--json"], late=True).stdout)
    return found


@pytest.mark.parametrize("number", sorted(_recorded_jobs()))
def test_a_job_as_json_has_slurms_keys_and_values(number: int) -> None:
    theirs = _recorded_jobs()[number]
    ours = next(job for job in _our_report()["jobs"] if job["job_id"] == number)
    assert list(ours) == list(theirs)
    for job in (ours, theirs):
        job["step_id"].pop("sluid")
    different = {key: (ours[key], theirs[key]) for key in theirs if ours[key] != theirs[key]}
    assert different.keys() <= FACTS_OF_THE_HOST | _IN_DETAIL.get(number, set()), different


def test_the_report_around_the_jobs_has_slurms_keys() -> None:
    theirs = json.loads("\n".join(find("squeue", "squeue --json").stdout))
    ours = _our_report()
    assert list(ours) == list(theirs)
    assert list(ours["meta"]) == list(theirs["meta"])
    assert ours["meta"]["command"] == ["squeue", "--json"]
    assert ours["meta"]["client"] == {"source": "", "user": "root", "group": "root"}


def test_json_is_written_as_slurm_writes_it() -> None:
    lines = lab.run(squeue.main, ["squeue", "--json"], late=True).stdout.split("\n")
    assert lines[:3] == ["{", '  "jobs": [', "    {"]
    assert '      "standard_input": "\\/dev\\/null",' in lines
    assert lines[-6:] == ['  "errors": [', "  ],", '  "warnings": [', "  ]", "}", ""]


@pytest.mark.parametrize(("main", "source", "command"), [
    (sinfo.main, "sinfo", "sinfo --json | head -150"),
    (scontrol.main, "scontrol", "scontrol --json show partition gpu | head -60"),
])
def test_nodes_and_partitions_as_json_are_slurms_line_by_line(main: Any, source: str, command: str) -> None:
    words, _, cut = command.partition(" | head -")
    ours = lab.run(main, words.split(), late=True).stdout
    assert tuple(ours.split("\n")[: int(cut)]) == find(source, command).stdout
    json.loads(ours)


def test_yaml_is_written_as_slurm_writes_it() -> None:
    ours = lab.run(squeue.main, ["squeue", "--yaml", "-j", "59"], late=True).stdout.split("\n")
    theirs = find("squeue", "squeue --yaml | head -80").stdout
    known = {"association_id", "USING_DEFAULT_ACCOUNT", "USING_DEFAULT_QOS"}
    kept = [line for line in theirs if not any(word in line for word in known)]
    assert [line for line in ours[: len(theirs)] if "association_id" not in line][: len(kept)] == kept


@pytest.mark.parametrize("words", ["show job 86", "show nodes", "show partition", "show job"])
def test_scontrol_answers_in_json_too(words: str) -> None:
    report = json.loads(lab.run(scontrol.main, ["scontrol", "--json", *words.split()], late=True).stdout)
    assert report["errors"] == [] and next(iter(report)) in ("jobs", "nodes", "partitions")
