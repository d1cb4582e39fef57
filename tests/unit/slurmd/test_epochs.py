"""Which slurmctld a node believes: the one with the highest epoch of a journal, also after a restart of slurmd."""

import logging
from pathlib import Path

import pytest

from slurm.slurmd.epochs import Epochs, Leader


def opened(spool: Path) -> Epochs:
    epochs = Epochs(str(spool))
    epochs.open()
    return epochs


def test_the_orders_of_an_earlier_epoch_are_not_taken(tmp_path: Path) -> None:
    epochs = opened(tmp_path)
    assert epochs.registered("j1", 3)
    assert epochs.takes(3)
    assert not epochs.takes(2)
    assert not epochs.takes(0)


def test_a_node_does_not_register_with_a_leader_that_was_deposed(tmp_path: Path) -> None:
    epochs = opened(tmp_path)
    assert epochs.registered("j1", 4)
    assert not epochs.registered("j1", 3)
    assert epochs.latest == Leader("j1", 4)


def test_a_leader_that_took_a_higher_epoch_while_it_led_is_believed(tmp_path: Path) -> None:
    epochs = opened(tmp_path)
    epochs.registered("j1", 3)
    assert epochs.takes(9)
    assert not epochs.takes(3)


def test_the_highest_epoch_outlives_a_restart_of_slurmd(tmp_path: Path) -> None:
    opened(tmp_path).registered("j1", 7)
    again = opened(tmp_path)
    assert not again.registered("j1", 6)
    assert again.registered("j1", 7)


def test_a_cluster_that_began_anew_counts_its_epochs_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    epochs = opened(tmp_path)
    epochs.registered("j1", 7)
    with caplog.at_level(logging.WARNING):
        assert epochs.registered("j2", 1)
    assert "another state" in caplog.text
    assert epochs.takes(1)


def test_a_controller_that_counts_no_epochs_is_believed_as_before(tmp_path: Path) -> None:
    epochs = opened(tmp_path)
    assert epochs.registered("", 0)
    assert epochs.takes(0)
    assert not (tmp_path / "epoch.json").exists() or opened(tmp_path).latest == Leader()


def test_a_damaged_file_is_said_and_the_next_controller_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "epoch.json").write_text("{")
    epochs = opened(tmp_path)
    assert "cannot be read" in caplog.text
    assert epochs.registered("j1", 1)
