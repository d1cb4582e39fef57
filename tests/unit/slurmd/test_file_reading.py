"""Files that nodes read for users: as the user, regular files only, within a deadline."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from slurm.slurmd.file_reading import FileReading
from slurm.wire.output_messages import LARGEST_PIECE, FileRead, ReadFile

ROOT = os.geteuid() == 0
UID, GID = (65534, 65534) if ROOT else (os.geteuid(), os.getegid())


def _read(path: Path, offset: int = 0, uid: int = UID, gid: int = GID) -> FileRead:
    return asyncio.run(FileReading().answer(ReadFile(number=7, path=str(path), uid=uid, gid=gid, user="", offset=offset)))


def test_a_file_is_read_piece_by_piece_and_from_its_beginning_where_it_became_shorter(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "out"
    path.write_bytes(b"x" * LARGEST_PIECE + b"\nend")
    path.chmod(0o644)
    first = _read(path, uid=os.geteuid(), gid=os.getegid())
    assert (len(first.data), first.offset, first.size, first.error) == (LARGEST_PIECE, 0, LARGEST_PIECE + 4, "")
    assert _read(path, LARGEST_PIECE, os.geteuid(), os.getegid()).data == b"\nend"
    assert _read(path, LARGEST_PIECE + 4, os.geteuid(), os.getegid()).data == b""
    path.write_bytes(b"anew\n")
    again = _read(path, LARGEST_PIECE, os.geteuid(), os.getegid())
    assert (again.data, again.offset) == (b"anew\n", 0)


def test_what_the_user_may_not_read_is_not_read_also_through_a_link_of_his() -> None:
    """As root the job's user is somebody else; as an ordinary user it is he, and the file is root's."""
    for path in ("/etc/shadow", f"/proc/{os.getppid()}/environ" if ROOT else "/etc/shadow"):
        found = _read(Path(path))
        assert (found.data, found.error) == (b"", f"{path}: Permission denied")


def test_a_link_leads_no_further_than_its_users_rights(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.owner() == Path.home().owner():
            folder.chmod(folder.stat().st_mode | 0o555)
    link = tmp_path / "out"
    link.symlink_to("/etc/shadow")
    assert _read(link).error == f"{link}: Permission denied"


def test_pipes_devices_and_folders_are_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        assert _read(path, uid=os.geteuid(), gid=os.getegid()).error == f"{path}: it is no ordinary file"
    # Whoever waits for a reader of the pipe waits on.
    opened = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_WRONLY)), daemon=True)
    opened.start()
    _read(pipe, uid=os.geteuid(), gid=os.getegid())
    opened.join(0.1)
    assert opened.is_alive()
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    opened.join(5)


def test_what_still_reads_ends_with_its_slurmd(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("written")

    async def main() -> None:
        reading = FileReading()
        asked = [asyncio.ensure_future(reading.answer(ReadFile(number=number, path=str(path), uid=os.getuid(), gid=os.getgid(), user="", offset=0)))
            for number in range(4)]
        while len(reading._under_way) < 4:
            await asyncio.sleep(0)
        await reading.close()
        assert not reading._under_way
        for one in asked:
            one.cancel()

    asyncio.run(main())
