"""StateSaveLocation=postgresql://…: what it says, and what it must not."""

from __future__ import annotations

import pytest

from slurm.config.state_location import is_one, parse
from slurm.model.errors import ConfigError


def test_an_address_names_servers_database_and_folder_and_waits_for_nothing_without_an_end() -> None:
    found = parse("postgresql://slurm@db1,db2:5433,[fe80::1]/state?folder=/srv/slurm&sslmode=verify-full&connect_timeout=2")
    assert found.hosts == ["db1", "db2", "fe80::1"]
    assert found.parameters | {"tcp_user_timeout": ""} == {
        "user": "slurm", "host": "db1,db2,fe80::1", "port": ",5433,", "dbname": "state", "sslmode": "verify-full", "connect_timeout": "2",
        "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3", "tcp_user_timeout": "", "target_session_attrs": "read-write"}
    assert (found.folder, found.may_lose_work) == ("/srv/slurm", False)
    assert str(found) == "PostgreSQL database state at db1,db2,fe80::1"


def test_a_folder_is_none_and_an_address_without_anything_is_this_machines() -> None:
    assert not is_one("/var/spool/slurmctld") and is_one("postgresql:///slurm")
    assert parse("postgresql:///slurm?may_lose_work=yes")[1:] == ("/var/spool/slurmctld", True)
    assert parse("postgresql:///slurm").hosts == []


@pytest.mark.parametrize(("text", "sentence"), [
    ("postgresql://slurm:secret@db/slurm", "holds a password, and everybody may read slurm.conf"),
    ("postgresql://db/slurm?password=secret", "holds a password"),
    ("postgresql://db/slurm?sslpassword=secret", "holds a password"),
    ("postgresql://db/slurm?%70assword=secret", "holds a password"),
    ("postgresql://db/slurm?oauth_client_secret=secret", "holds a password"),
    ("postgresql://slurm:secret/2@db/slurm", "holds a password"),
    ("postgresql://slurm:secret#2@db/slurm", "holds a password"),
    ("postgresql://slurm:[secret@db/slurm", "holds a password"),
    ("postgresql://db/slurm#here", "behind # belongs to no address"),
    ("postgresql://db/slurm?sslmode=require&sslmode=disable", "a parameter is there twice"),
    ("postgresql://db/slurm?may_lose_work=perhaps", "may_lose_work=perhaps is neither yes nor no"),
    ("postgresql://db/slurm?folder=here", "folder=here is no absolute path"),
    ("postgresql://db:x/slurm", "port x is no number"),
    ("postgresql://db/slurm?folder", "cannot be read"),
])
def test_what_cannot_be_is_refused_with_its_reason_and_without_its_secret(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert sentence in caught.value.message and "secret" not in "".join(caught.value.lines())
