"""Every branch of every module of `sync/` is reached by that module's own test file: `python -m tests.coverage`.

A module of the core is measured by `tests/unit/sync/test_<module>*.py` alone: what another module's test happens to
pass through proves nothing about this one. Each is measured in a process of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = ROOT / "tests" / "unit" / "sync"
DEADLINE_S: Final = 300


def main() -> int:
    """Measure each module; 1 when a branch of any is not reached."""
    modules = sorted(path.stem for path in (ROOT / "sync").glob("*.py") if path.stem != "__init__")
    jobs = ThreadPoolExecutor(os.cpu_count() or 1)
    console = Console(stderr=True)
    hidden = not console.is_terminal
    measured = list(track(jobs.map(measure, modules), "Modules", len(modules), console=console, disable=hidden))
    lacking = [complaint for complaint in measured if complaint]
    for complaint in lacking:
        print(complaint)
    print(f"sync: {len(modules) - len(lacking)} of {len(modules)} modules are covered by their own tests, every branch")
    return 1 if lacking else 0


def measure(module: str) -> str:
    """Run the module's own tests and say what they do not reach; empty when that is nothing."""
    files = sorted(str(path) for path in TESTS.glob(f"test_{module}*.py") if _is_of(module, path))
    if not files:
        return f"sync/{module}.py has no test file of its own"
    with tempfile.TemporaryDirectory(prefix="rollcall-coverage-") as folder:
        return _measure(module, files, Path(folder))


def _is_of(module: str, path: Path) -> bool:
    """`test_journal_file.py` is of `journal_file`, not of `journal`."""
    longer = [other.stem for other in (ROOT / "sync").glob(f"{module}_*.py")]
    return not any(path.stem.startswith(f"test_{name}") for name in longer)


def _measure(module: str, files: list[str], folder: Path) -> str:
    environment = {**os.environ, "COVERAGE_FILE": str(folder / "data")}
    run = [sys.executable, "-m", "coverage", "run", "--branch", f"--include=sync/{module}.py", "-m", "pytest"]
    options = ["-q", "-n0", "-p", "no:cacheprovider", "--noconftest"]
    tested = _do([*run, *options, *files], environment)
    if tested.returncode:
        return f"the tests of sync/{module}.py fail:\n{tested.stdout[-2_000:]}"
    _do([sys.executable, "-m", "coverage", "json", "-q", "-o", str(folder / "report")], environment)
    (report,) = json.loads((folder / "report").read_text())["files"].values()
    lines, branches = report["missing_lines"], report["missing_branches"]
    return f"sync/{module}.py: lines {lines} and branches {branches} are not reached" if lines or branches else ""


def _do(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True, timeout=DEADLINE_S
    )


if __name__ == "__main__":
    sys.exit(main())
