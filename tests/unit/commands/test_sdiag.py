"""sdiag as a command: orders, reset, JSON."""

import json
import re

import pytest

from tests.compat.test_statistics_golden import run


def _kinds(text: str) -> list[str]:
    return re.findall(r"^\t((?:REQUEST|MESSAGE|ACCOUNTING)_\w+)", text, re.MULTILINE)


@pytest.mark.parametrize(("option", "first"), [
    ("-a", "REQUEST_SUBMIT_BATCH_JOB"), ("--sort-by-id", "MESSAGE_NODE_REGISTRATION_STATUS"), ("--sort-by-time", "REQUEST_SUBMIT_BATCH_JOB"),
    ("--sort-by-time2", "REQUEST_JOB_STEP_CREATE")])
def test_requests_are_sorted_as_asked(option: str, first: str) -> None:
    assert _kinds(run(option)[1])[0] == first


def test_a_reset_is_asked_of_slurmctld_and_confirmed() -> None:
    status, text, counted = run("--reset")
    assert (status, text) == (0, "Reset scheduling statistics\n")
    assert counted.sent == [{"type": "ReadStatistics", "reset": True}]


def test_everything_comes_as_json_and_yaml() -> None:
    found = json.loads(run("--json")[1])
    assert found["statistics"]["bf_cycle_mean"] == 314 and found["statistics"]["bf_when_last_cycle"] == {"set": True, "infinite": False, "number": 1795221797}
    assert found["statistics"]["rpcs_by_message_type"][0]["message_type"] == "REQUEST_SUBMIT_BATCH_JOB"
    assert found["meta"]["command"] == ["sdiag", "--json"] and found["meta"]["slurm"]["cluster"] == "lab"
    assert run("--yaml")[1].startswith("%YAML 1.1\n")


def test_words_that_mean_nothing_are_refused() -> None:
    assert run("foo")[0] == 1
