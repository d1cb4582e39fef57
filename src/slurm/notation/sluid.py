"""SLUID: the sortable unique id that Slurm shows beside a job's number (`squeue %s`, SLURM_JOB_SLUID).

Ours is made from submission time and job id, so that it needs no state of its own and sorts by submission.
"""

from __future__ import annotations

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def show(submit_time: float, job_id: int) -> str:
    """The 14 characters of a job: `s`, then 13 base-32 digits of milliseconds since the epoch and the job id's low 22 bits."""
    number = (int(submit_time * 1000) << 22) | (job_id & 0x3FFFFF)
    digits = []
    for _ in range(13):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "s" + "".join(reversed(digits))
