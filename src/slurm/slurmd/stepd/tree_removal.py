"""Removing a tree of folders that a user made: however deep it is, within a time, following no link.

Folders are lifted to the top one by one and emptied there: that needs neither a stack nor more than two descriptors, and no path gets long.
Light on purpose: slurmstepd imports it.
"""

from __future__ import annotations

import os
import time

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def remove(path: str, seconds: float) -> bool:
    """Remove a folder with all that is in it, going on for so many seconds at most; whether nothing of it is left.

    What cannot be removed stays, without an error. Whoever may write in it may go on doing so meanwhile.
    """
    until = time.monotonic() + seconds
    try:
        top = os.open(path, _FOLDER)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        while _one_round(top, until):
            if time.monotonic() > until:
                return False
        os.rmdir(path)
    except OSError:
        return False
    finally:
        os.close(top)
    return True


def _one_round(top: int, until: float) -> bool:
    """Whether something in the top folder was removed or lifted."""
    done = False
    with os.scandir(top) as entries:
        for entry in entries:
            if time.monotonic() > until:
                return True
            found = _emptied(top, entry.name, until) if entry.is_dir(follow_symlinks=False) else _unlinked(entry.name, top)
            done = done or found
    return done


def _emptied(top: int, name: str, until: float) -> bool:
    """Empty a folder of the top one and remove it; its folders go to the top. Whether anything was done."""
    done = False
    try:
        folder = os.open(name, _FOLDER, dir_fd=top)
    except OSError:
        return False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if time.monotonic() > until:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    done = _lifted(entry.name, folder, top) or done
                else:
                    done = _unlinked(entry.name, folder) or done
        os.rmdir(name, dir_fd=top)
    except OSError:
        return done
    finally:
        os.close(folder)
    return True


def _lifted(name: str, folder: int, top: int) -> bool:
    try:
        os.rename(name, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
    except OSError:
        return False
    return True


def _unlinked(name: str, folder: int) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    return True
