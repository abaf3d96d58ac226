"""Runs test files of the core and notes which of them reached what: `python -m tests.coverage.run DATA FILES`."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import coverage

IMPORT: Final = "import"
"""What runs when the modules of the core are imported, before any test."""


def context_of(path: Path) -> str:
    """The name under which is noted what a test file reached, also while it is collected."""
    return path.stem


class _Contexts:
    """Tells coverage whose turn it is."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self._now = IMPORT

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        self._turn(collector.path)

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self._turn(item.path)

    def _turn(self, path: Path) -> None:
        if path.suffix == ".py" and context_of(path) != self._now:
            self._now = context_of(path)
            self._measured.switch_context(self._now)


def main(arguments: Sequence[str]) -> int:
    """Run the files; pytest's exit status."""
    data, *files = arguments
    core = Path(__file__).resolve().parents[2] / "sync"
    measured = coverage.Coverage(data_file=data, branch=True, include=[f"{core}/*.py"], config_file=False)
    measured.start()
    measured.switch_context(IMPORT)
    for path in sorted(core.glob("*.py")):
        importlib.import_module(f"sync.{path.stem}" if path.stem != "__init__" else "sync")
    options = ["-q", "-n0", "-p", "no:cacheprovider", "--noconftest"]
    try:
        return int(pytest.main([*options, *files], plugins=[_Contexts(measured)]))
    finally:
        measured.stop()
        measured.save()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
