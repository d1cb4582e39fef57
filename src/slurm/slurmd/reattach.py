"""After a start of slurmd: the steps that its spool knows, those that still run and those that ended meanwhile."""

from __future__ import annotations

import logging
import os
import time

from slurm.model.errors import StoreError
from slurm.slurmd.roster import Roster, StepHere
from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import BATCH, EXTERN, Ended, StepKey

log = logging.getLogger("slurmd.reattach")
REMOVE_SECONDS = 10.0
"""So long removing what owners of steps left may keep slurmd from starting, all folders together."""


def scan(root: str, roster: Roster) -> list[tuple[StepHere, Ended | None]]:
    """Enter every step of the spool's steps folder into the roster; each with how it ended, None where it may still run.

    A folder in which nothing was begun is removed. StoreError for a journal that cannot be read: it is not skipped, since the step could
    run twice.
    """
    found: list[tuple[StepHere, Ended | None]] = []
    until = time.monotonic() + REMOVE_SECONDS
    for name in sorted(os.listdir(root)):
        key = folder.parse_folder_name(name)
        if key is None:
            log.warning("%s/%s is no step's folder, it is left alone", root, name)
            continue
        entry = _look(os.path.join(root, name), key, roster, until)
        if entry is not None:
            found.append(entry)
    return found


def _look(path: str, key: StepKey, roster: Roster, until: float) -> tuple[StepHere, Ended | None] | None:
    try:
        journal = folder.read(path)
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(message=f"{path}/{folder.JOURNAL} cannot be read: {error}", hints=[
            "if no process of that step is left, remove the folder and start slurmd again"]) from error
    except NotADirectoryError:
        log.warning("%s is no step's folder, it is left alone", path)
        return None
    if journal is None:
        try:
            folder.remove(path, max(0.0, until - time.monotonic()))
        except Exception as error:  # one folder never keeps slurmd from starting
            log.warning("%s has no journal and cannot be removed: %s", path, error)
        return None
    if key.step in (BATCH, EXTERN) and journal.ended is None and _never_began(path):
        return None
    step = roster.begin(key, path)
    step.begun = True
    step.record = journal.record.brief
    return step, journal.ended


def _never_began(path: str) -> bool:
    """Whether slurmd was killed when it had written a step's folder and nobody had it yet. It is removed then: it is ordered again."""
    if folder.began(path) or (journal := folder.abandoned(path)) < 0:
        return False
    try:
        log.info("%s: slurmd was ended before it could begin that; it is begun when slurmctld orders it again", path)
        folder.remove(path)
    except OSError as error:
        log.error("%s cannot be removed: %s", path, error)
        return False
    finally:
        os.close(journal)
    return True
