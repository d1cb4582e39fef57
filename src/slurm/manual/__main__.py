"""Writes packaging/man and packaging/completion, or with --check says whether they are what the tables say.

python -m slurm.manual [--check] [FOLDER]     FOLDER: packaging of the repository
"""

from __future__ import annotations

import sys
from pathlib import Path

from slurm.manual import completion, pages

PACKAGING = Path(__file__).resolve().parents[3] / "packaging"


def files() -> dict[str, str]:
    """Everything that is written, by path below packaging."""
    return {**{f"man/{name}": text for name, text in pages.pages().items()},
        **{f"completion/{name}": text for name, text in completion.files().items()}}


def main(arguments: list[str]) -> int:
    """Writes or checks; exit status 1 where the files are others than the tables say."""
    check = "--check" in arguments
    folders = [Path(word) for word in arguments if not word.startswith("-")]
    folder = folders[0] if folders else PACKAGING
    wanted = files()
    there = {str(path.relative_to(folder)) for part in ("man", "completion") for path in (folder / part).rglob("*") if path.is_file()}
    different = sorted([name for name, text in wanted.items() if name not in there
        or (folder / name).read_text(encoding="utf-8") != text] + list(there - set(wanted)))
    if check:
        if different:
            print(f"not what the tables say: {', '.join(different)}: run `python -m slurm.manual` and commit them", file=sys.stderr)
        return 1 if different else 0
    for name in different:
        path = folder / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
