"""Xauthority files, beside one that xauth(1) wrote."""

from __future__ import annotations

from slurm.notation import xauthority
from slurm.notation.xauthority import LOCAL, WILD, Entry

COOKIE = bytes.fromhex("00112233445566778899aabbccddeeff")
WRITTEN = bytes.fromhex("0100000276 6d 0002 3130 0012".replace(" ", "")) + xauthority.COOKIE + b"\0\x10" + COOKIE
"""By `xauth add localhost:10 MIT-MAGIC-COOKIE-1 …` on a machine called vm."""


def test_what_xauth_writes_is_read_and_written_alike() -> None:
    found = xauthority.parse(WRITTEN)
    assert found == [Entry(LOCAL, b"vm", b"10", xauthority.COOKIE, COOKIE)] == [xauthority.entry(LOCAL, b"vm", 10, COOKIE)]
    assert xauthority.show(found) == WRITTEN


def test_a_file_that_is_cut_short_has_the_entries_before_that() -> None:
    for length in range(len(WRITTEN)):
        assert xauthority.parse(WRITTEN + WRITTEN[:length]) == xauthority.parse(WRITTEN)


def test_a_cookie_is_found_by_display_and_host_or_for_any_host_and_replaced_by_a_newer_one() -> None:
    entries = xauthority.parse(WRITTEN)
    assert xauthority.cookie_for(entries, [(LOCAL, b"vm")], 10) == COOKIE
    assert xauthority.cookie_for(entries, [(LOCAL, b"other")], 10) == xauthority.cookie_for(entries, [(LOCAL, b"vm")], 11) == b""
    newer = xauthority.with_entry(entries, xauthority.entry(LOCAL, b"vm", 10, b"new"))
    assert [one.data for one in newer] == [b"new"]
    both = xauthority.with_entry(entries, xauthority.entry(WILD, b"", 11, b"any"))
    assert len(both) == 2 and xauthority.cookie_for(both, [], 11) == b"any"
