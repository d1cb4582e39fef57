"""What the documents say exists, exists."""

import re

from slurm import doors
from slurm.sdk.calls import caching
from slurm.sdk.following import retry
from tests.meta.source import ROOT, SRC

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)\)")
PATH = re.compile(r"`((?:src|tests|docs|examples|scripts|bench|core|sched|wire|net|store|render|slurmctld|slurmd|commands)/[\w./-]+)`")


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in DOCUMENTS
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not broken, "\n".join(broken)


def test_every_path_that_a_document_names_exists() -> None:
    broken = []
    for page in DOCUMENTS:
        for path in (named for named in PATH.findall(page.read_text(encoding="utf-8")) if "NAME" not in named):
            places = [ROOT / path, SRC / "slurm" / path, ROOT / f"{path}.py", SRC / "slurm" / f"{path}.py"]
            if not any(place.exists() for place in places):
                broken.append(f"{page.relative_to(ROOT)}: {path}")
    assert not broken, "\n".join(broken)


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {(page.name, target) for page in DOCUMENTS for target in re.findall(r"`make ([\w-]+)", page.read_text(encoding="utf-8"))}
    assert not {(page, target) for page, target in named if target not in targets}


def test_every_name_of_the_front_door_stands_in_the_reference() -> None:
    reference = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: slurm\.sdk\.([\w.]+)$", reference, re.MULTILINE))
    missing = {name: module for name, module in doors.NAMES.items() if not {module, f"{module}.{name}"} & shown}
    assert not missing, f"a page of docs/reference needs a line `::: slurm.sdk.MODULE.NAME` for each of these: {missing}"


def test_every_keyword_of_tasks_that_is_not_sbatchs_stands_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8")
    assert not [word for word in (*retry.WORDS, *caching.WORDS) if f"`{word}`" not in page]


def test_every_how_to_stands_in_the_list_of_questions() -> None:
    folder = ROOT / "docs" / "how-to"
    listed = set(LINK.findall((folder / "index.md").read_text(encoding="utf-8")))
    assert {path.name for path in folder.glob("*.md")} - {"index.md"} <= listed


def test_every_decision_record_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("*.md")) if path.name != "index.md"]
    assert all(number.isdigit() for number in numbers)
    assert len(numbers) == len(set(numbers))
