"""`slurm.validation`: whether texts can be names that Slurm knows. ValueError says what is wrong.

`@task` checks by the option table instead.
"""

from __future__ import annotations

import re

__all__ = ["validate_account", "validate_environment_variable_name", "validate_job_id", "validate_job_name", "validate_partition",
           "validate_slurm_identifier"]

LONGEST, LONGEST_NAME = 256, 1024
_IDENTIFIER, _NAME = re.compile(r"[A-Za-z0-9_.-]+"), re.compile(r"[A-Za-z0-9_.:/-]+")
_JOB, _VARIABLE = re.compile(r"\d+(_\d+|_\[[\d,:%-]+\])?"), re.compile(r"[A-Za-z_]\w*", re.ASCII)


def validate_slurm_identifier(value: str, field_name: str, max_length: int = LONGEST) -> str:
    """A name of letters, digits, `_`, `.` and `-`; returned as it is."""
    return _checked(value, field_name, _IDENTIFIER, max_length, "letters, digits, _, . and -")


def validate_account(account: str | None) -> str | None:
    """An account's name; None is none."""
    return None if account is None else validate_slurm_identifier(account, "Account")


def validate_partition(partition: str | None) -> str | None:
    """A partition's name; None is none."""
    return None if partition is None else validate_slurm_identifier(partition, "Partition")


def validate_job_name(job_name: str | None) -> str | None:
    """A job's name, which may hold `:` and `/` too; None is none."""
    return None if job_name is None else _checked(job_name, "Job name", _NAME, LONGEST_NAME, "letters, digits, _, ., :, / and -")


def validate_job_id(job_id: str) -> str:
    """A job's id: 12, 12_3 or 12_[0-9%2]."""
    return _checked(job_id, "Job ID", _JOB, LONGEST, "a number, or that of an array with an index behind _")


def validate_environment_variable_name(name: str) -> str:
    """The name of a variable of the environment."""
    return _checked(name, "Environment variable name", _VARIABLE, LONGEST_NAME, "letters, digits and _, not beginning with a digit")


def _checked(value: str, what: str, pattern: re.Pattern[str], longest: int, valid: str) -> str:
    if not value:
        raise ValueError(f"{what} cannot be empty")
    if len(value) > longest:
        raise ValueError(f"{what} is too long: {len(value)} characters, at most {longest}")
    if not pattern.fullmatch(value):
        raise ValueError(f"{what} {value!r} contains invalid characters; valid: {valid}")
    return value
