"""The tree as the tidy tests see it: the files that git tracks or would track, read once."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_UNLISTED_DIRECTORIES = {".git", ".venv", ".rollcall", ".secrets", "__pycache__", "node_modules"}


@dataclass(frozen=True)
class Tree:
    """Every file of the project by its path from the root, and its text (None when it is not text)."""

    root: Path
    texts: dict[str, str | None] = field(repr=False)

    def python_files(self, *packages: str) -> dict[str, str]:
        """Give the Python files below the named top-level folders."""
        return {
            path: text
            for path, text in self.texts.items()
            if text is not None and path.endswith(".py") and path.split("/")[0] in packages
        }


@pytest.fixture(scope="session")
def tree() -> Tree:
    return Tree(ROOT, {path: _text(ROOT / path) for path in _paths() if (ROOT / path).is_file()})


def _paths() -> list[str]:
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(listing, capture_output=True, check=True, text=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):  # an unpacked archive, or no git
        return [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if not _UNLISTED_DIRECTORIES & set(path.relative_to(ROOT).parts)
        ]
    return [path for path in found.split("\0") if path]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
