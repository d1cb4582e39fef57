"""`slurm support`: what is needed is in the bundle, and none of the secrets that were planted wherever they might come from."""

from __future__ import annotations

import base64
import json
import os
import stat
import tarfile
import time
from pathlib import Path

import pytest

from slurm.commands.slurm import main
from slurm.commands.support.scrubbing import MASK, Scrubber

PASSWORD = "correct-horse-battery"
KEY = "the-clusters-own-key-in-plain-text-0123456789"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdW4iOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----"
OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n"  # a log that was cut
VARIABLE = "hf_abcdefghijklmnop"
CLOUD = "AKIAIOSFODNN7EXAMPLE"
URL = "mailer:letmein99"
PLANTED = (PASSWORD, KEY, TOKEN, "MIGHAgEAMBMGByqGSM49", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", VARIABLE, CLOUD, "letmein99",
           base64.b64encode(KEY.encode()).decode(), KEY.encode().hex(), "inc-secret-77", "spoken-in-json", "Basic-dXNlcjpwYXNz")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, keys and logs in which secrets stand in many ways."""
    (tmp_path / "state").mkdir()
    (tmp_path / "slurm.conf").write_text(
        f"ClusterName=lab\nSlurmctldHost=localhost\nAuthType=auth/local\nStateSaveLocation={tmp_path}/state\nSlurmctldLogFile={tmp_path}/slurmctld.log\n"
        f"SlurmdLogFile={tmp_path}/slurmd-%n.log\nSlurmctldPidFile={tmp_path}/slurmctld.pid\nSlurmdPidFile={tmp_path}/slurmd-%n.pid\n"
        f"JobCompType=jobcomp/http\nJobCompLoc=https://{URL}@example.org/jobs\nAccountingStoragePass={PASSWORD}\nInclude more.conf\n"
        f"# the old password={PASSWORD}\nNodeName=cn1 NodeHostname=localhost CPUs=1\nPartitionName=debug Nodes=ALL Default=YES\n")
    (tmp_path / "more.conf").write_text("JobCompPass=inc-secret-77\n")
    (tmp_path / "slurmdbd.conf").write_text(
        f"StorageType=accounting_storage/postgresql\nStorageUser=slurm\nStoragePass={PASSWORD}\nLogFile={tmp_path}/slurmdbd.log\n")
    (tmp_path / "slurm.key").write_text(KEY)
    (tmp_path / "slurm.key").chmod(0o600)
    (tmp_path / "slurmctld.log").write_text(
        f"[2026-11-30T12:00:00.000] slurmctld starts\n[…] token {TOKEN} was refused\n[…] HF_TOKEN={VARIABLE} aws {CLOUD}\n{PEM}\n"
        f'[…] {{"api_key": "spoken-in-json"}} Authorization: Basic-dXNlcjpwYXNz\n[…] job 7 ends\n')
    (tmp_path / "slurmd-cn1.log").write_text(f"key {base64.b64encode(KEY.encode()).decode()} {KEY.encode().hex()}\nnode cn1 ready\n")
    (tmp_path / "slurmdbd.log").write_text(f"cannot log in with {PASSWORD}\n{OPENSSH}")
    monkeypatch.setenv("HF_TOKEN", VARIABLE)
    monkeypatch.setenv("SITE_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unpacked(path: Path) -> dict[str, str]:
    """Name in the bundle → text."""
    with tarfile.open(path) as bundle:
        return {entry.name.removeprefix("slurm-support/"): (bundle.extractfile(entry) or open(os.devnull, "rb")).read().decode()
                for entry in bundle.getmembers()}


def test_none_of_the_planted_secrets_is_in_the_bundle_and_what_helps_is(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["support", "-f", str(site / "slurm.conf"), "-o", "out.tar.gz", "--json"]) == 0
    assert stat.S_IMODE((site / "out.tar.gz").stat().st_mode) == 0o600
    found = unpacked(site / "out.tar.gz")
    whole = "\n".join(found.values())
    assert [secret for secret in PLANTED if secret in whole] == []
    assert {"configuration/slurm.conf", "configuration/more.conf", "configuration/slurmdbd.conf", "versions.json", "doctor.json", "logs/slurmctld.log",
            "logs/slurmd-cn1.log", "logs/slurmdbd.log", "state.json", "controller.txt"} <= set(found)
    assert "SlurmctldHost=localhost" in found["configuration/slurm.conf"] and f"StoragePass={MASK}" in found["configuration/slurmdbd.conf"]
    assert "job 7 ends" in found["logs/slurmctld.log"] and "node cn1 ready" in found["logs/slurmd-cn1.log"]
    assert json.loads(found["doctor.json"])["facts"]["conf"] == str(site / "slurm.conf")
    assert json.loads(capsys.readouterr().out)["file"] == str(site / "out.tar.gz")


def test_keys_of_the_state_go_wherever_slurm_conf_says_that_it_is(site: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "credential.key").write_bytes(b"thirty-two bytes of a signing key")
    conf = site / "slurm.conf"
    conf.write_text(conf.read_text().replace(f"StateSaveLocation={tmp_path}/state", f"StateSaveLocation={elsewhere}"))
    (site / "slurmctld.log").write_text(f"it is {b'thirty-two bytes of a signing key'.hex()}\n")
    assert main(["support", "-f", str(conf), "-o", "out.tar.gz"]) == 0
    assert unpacked(site / "out.tar.gz")["logs/slurmctld.log"] == f"it is {MASK}\n"


def test_a_bundle_that_is_there_is_not_written_over(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "out.tar.gz").write_text("mine")
    assert main(["support", "-f", str(site / "slurm.conf"), "-o", "out.tar.gz"]) == 1
    assert "File exists" in capsys.readouterr().err and (site / "out.tar.gz").read_text() == "mine"


@pytest.mark.parametrize("text", [
    "postgresql://slurm:pa/ss-word-7@db/x", "postgresql://slurm:p@ss-word-7@db", "password=ab,ss-word-7", 'Password = "my ss-word-7"', "secret: 'a ss-word-7'",
    'PGPASSWORD="it\'s ss-word-7"', '{"password": "a, ss-word-7"}', "AuthInfo=jwt_key=/etc/x,secret=ss-word-7", "my.own-api_key=ss-word-7",
    '{\\"token\\": \\"ss-word-7\\"}'])
def test_a_secret_goes_whole_whatever_letters_are_in_it(text: str) -> None:
    assert "ss-word-7" not in Scrubber().text(text)


@pytest.mark.parametrize("piece", ["a.a-", "password", "eyJ-", "://", "a:", "://a:", "passwordpassword ", "password =", "-----BEGIN ", "secret.", "token.-", "/", '"'])
def test_a_log_that_was_written_to_make_it_slow_does_not(piece: str) -> None:
    """32 kB of "a.a-" in a line took two minutes."""
    text = piece * (200_000 // len(piece))
    began = time.process_time()
    Scrubber().text(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", [
    "AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key", "StateSaveLocation=/var/spool/slurmctld", "JobId=12_7 State=RUNNING",
    "PrivateData=jobs,usage", "[2026-11-30T12:00:00.123] error: node nd1: connection lost", "token_lifespan=/x", "Authtype=auth/slurm"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert Scrubber().text(text) == text
