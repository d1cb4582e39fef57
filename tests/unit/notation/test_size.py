"""Memory sizes, with the values of the transcripts."""

import pytest

from slurm.notation import size
from slurm.notation.errors import NotationError


@pytest.mark.parametrize(
    ("text", "mb"),
    [("500", 500), ("1024M", 1024), ("64G", 65536), ("64g", 65536), ("16GB", 16384), ("2T", 2097152), ("512K", 1), ("1025K", 2), ("0", 0)],
)
def test_a_memory_size_is_read_in_megabytes(text: str, mb: int) -> None:
    assert size.parse_mb(text) == mb


@pytest.mark.parametrize("text", ["bogus", "", "1.5G", "1P", "-5", "16Gi", "16 G", "G", "5GG"])
def test_what_slurm_refuses_as_a_memory_size_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match="valid:"):
        size.parse_mb(text)


@pytest.mark.parametrize(
    ("mb", "shown"),
    [
        (0, "0M"),
        (500, "500M"),
        (512, "512M"),
        (1500, "1500M"),
        (1536, "1.50G"),
        (2000, "2000M"),
        (4500, "4500M"),
        (8000, "8000M"),
        (16384, "16G"),
        (64000, "62.50G"),
        (128000, "125G"),
        (192000, "187.50G"),
        (320000, "312.50G"),
        (1572864, "1.50T"),
    ],
)
def test_a_memory_size_shows_as_in_the_transcripts(mb: int, shown: str) -> None:
    assert size.show_mb(mb) == shown


def test_without_conversion_a_memory_size_stays_in_megabytes() -> None:
    assert size.show_mb(16384, convert=False) == "16384M"


def test_bytes_and_other_scales_use_the_same_units() -> None:
    assert size.parse_bytes("1K") == 1024
    assert size.parse_bytes("7") == 7
    assert size.parse_bytes("7", "M") == 7 * 1024 * 1024
    assert size.show_scaled(3312, "K") == "3312K"
    assert size.show_scaled(2048, "") == "2K"
