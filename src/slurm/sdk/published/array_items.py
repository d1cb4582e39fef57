"""`slurm.array_items`: an array's items in the published SDK's file.

Ours, of which an element reads no more than its own, stands in `sdk.folder`.
"""

from __future__ import annotations

import os
import pickle
from typing import Any

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.calls.folder import whole
from slurm.sdk.calls.pickling import PROTOCOL, skip_header
from slurm.sdk.job import Job
from slurm.sdk.published.words import JobResultPlaceholder

__all__ = ["convert_job_items_to_placeholders", "generate_array_spec", "load_array_item", "serialize_array_items"]

ITEMS_FILENAME = "array_items.pkl"


def convert_job_items_to_placeholders(items: list[Any]) -> tuple[list[Any], list[Job[Any]]]:
    """The items with placeholders where jobs stand, at any depth of tuples, lists and dictionaries, and those jobs."""
    found: list[Job[Any]] = []

    def converted(value: Any) -> Any:
        if isinstance(value, Job):
            found.append(value)
            return JobResultPlaceholder(value.id)
        if isinstance(value, ArrayJob):
            return [converted(job) for job in value]
        if isinstance(value, dict):
            return {key: converted(one) for key, one in value.items()}
        if type(value) in (list, tuple):
            return type(value)(converted(one) for one in value)
        return value

    return [converted(item) for item in items], found


def serialize_array_items(items: list[Any], target_dir: str | os.PathLike[str], max_concurrent: int | None = None) -> str:
    """Write the items into a folder; the name of the file."""
    os.makedirs(target_dir, exist_ok=True)
    with whole(os.path.join(target_dir, ITEMS_FILENAME)) as file:
        pickle.dump({"items": list(items), "count": len(items), "max_concurrent": max_concurrent}, file, PROTOCOL)
    return ITEMS_FILENAME


def load_array_item(array_items_file: str | os.PathLike[str], array_index: int) -> Any:
    """One item of such a file; IndexError when there are not so many."""
    with open(array_items_file, "rb") as file:
        skip_header(file)
        items = pickle.load(file)["items"]
    if not 0 <= array_index < len(items):
        raise IndexError(f"item {array_index} of an array of {len(items)}: {array_items_file}")
    return items[array_index]


def generate_array_spec(num_items: int, max_concurrent: int | None = None) -> str:
    """The value of --array for so many items, `0-9` or `0-9%2`; ValueError for none."""
    if num_items <= 0:
        raise ValueError(f"an array has at least one item, not {num_items}")
    return f"0-{num_items - 1}" + (f"%{max_concurrent}" if max_concurrent and max_concurrent > 0 else "")
