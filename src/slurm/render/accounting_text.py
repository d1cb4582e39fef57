"""Numbers of accounting as sacct and sstat write them: CPU times, amounts of bytes, counts with units, lists of TRES."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.notation import duration

_UNITS = "KMGTP"


def clock(seconds: float) -> str:
    """A length of CPU time: "00:00.004" (minutes, seconds, milliseconds) below an hour, "01:30:15", "1-02:03:04"; "00:00:00" for none."""
    whole, millis = divmod(int(seconds * 1000 + 1e-6), 1000)
    if whole >= 3600 or not millis:
        return duration.show_clock(whole)
    return f"{whole // 60:02d}:{whole % 60:02d}.{millis:03d}"


def scaled(number: float, base: str, unit: str = "", *, convert: bool = True, exact: bool = True, step: int = 1024) -> str:
    """A number of `base` ("" or one of KMGTP) in a larger unit.

    With `unit` in just that one. Else the next larger is taken while the number is at least `step`, and with `exact` only while its whole
    part is a multiple of half of it, so that 5512K is not shown as 5.38M. `convert` False: as it is, without a letter.
    """
    place = _UNITS.index(base) + 1 if base else 0
    if unit:
        target = _UNITS.index(unit) + 1
        return _with_unit(number * step ** (place - target), target) if number else "0"
    if not convert:
        return _with_unit(number, place)
    while place < len(_UNITS) and number >= step and (not exact or int(number) % (step // 2) == 0):
        number /= step
        place += 1
    return _with_unit(number, place)


def _with_unit(number: float, place: int) -> str:
    letter = _UNITS[place - 1] if place else ""
    return f"{int(number)}{letter}" if number == int(number) else f"{number:.2f}{letter}"


def tres(amounts: Mapping[str, int], unit: str = "", *, convert: bool = True) -> str:
    """Trackable resources by name, "billing=1,cpu=1,mem=500M,node=1"; memory comes in MB. Of gres without type and with it both stand."""
    return ",".join(f"{name}={_amount(name, amounts[name], unit, convert)}" for name in sorted(amounts) if amounts[name])


def _amount(name: str, count: int, unit: str, convert: bool) -> str:
    return scaled(count, "M", unit, convert=convert) if name in ("mem", "vmem") else str(count)
