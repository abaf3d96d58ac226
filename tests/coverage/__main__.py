"""Every branch of every module of `sync/` is reached by that module's own test file: `python -m tests.coverage`.

A module of the core is measured by `tests/unit/sync/test_<module>*.py` alone: what another module's test happens to
pass through proves nothing about this one. The tests run in a few processes (`tests.coverage.run`), which note for each
line and branch the test file that reached it; then each module is looked at with its own files alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import coverage
from tests.coverage.run import IMPORT, context_of

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = ROOT / "tests" / "unit" / "sync"
DEADLINE_S: Final = 900  # half an hour of CI holds it twice; on a machine of today it takes a minute

Files = Sequence[Path]


def main(arguments: Sequence[str]) -> int:
    """Measure the modules named, or each; 1 when a branch of any is not reached."""
    known = sorted(path.stem for path in (ROOT / "sync").glob("*.py") if path.stem != "__init__")
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("module", nargs="*", help="a module of sync/, without its folder (default: all)")
    wanted = parser.parse_args(arguments).module or known
    if unknown := sorted(set(wanted) - {*known}):
        parser.error(f"there is no sync/{unknown[0]}.py")
    modules = [module for module in known if module in wanted]
    files = {module: _files_of(module) for module in modules}
    with tempfile.TemporaryDirectory(prefix="rollcall-coverage-") as folder:
        lanes = _lanes(files, os.cpu_count() or 1)
        with ThreadPoolExecutor(len(lanes)) as jobs:
            measured = jobs.map(lambda lane: _measure(files, lane, Path(folder) / str(lanes.index(lane))), lanes)
            lacking = [complaint for complaints in measured for complaint in complaints]
    lacking += [f"sync/{module}.py has no test file of its own" for module in modules if not files[module]]
    print(*sorted(lacking), sep="\n", end="\n" if lacking else "")
    print(f"sync: {len(modules) - len(lacking)} of {len(modules)} modules are covered by their own tests, every branch")
    return 1 if lacking else 0


def _files_of(module: str) -> Files:
    return sorted(path for path in TESTS.glob(f"test_{module}*.py") if _is_of(module, path))


def _is_of(module: str, path: Path) -> bool:
    """`test_journal_file.py` is of `journal_file`, not of `journal`."""
    longer = [other.stem for other in (ROOT / "sync").glob(f"{module}_*.py")]
    return not any(path.stem.startswith(f"test_{name}") for name in longer)


def _lanes(files: Mapping[str, Files], count: int) -> list[list[str]]:
    """Share the modules out, the long ones first; the length of its tests says about how long a module takes."""
    lanes: list[list[str]] = [[] for _ in range(count)]
    lengths = [0] * count
    for module in sorted(files, key=lambda module: -_length(files[module])):
        if files[module]:
            at = lengths.index(min(lengths))
            lanes[at].append(module)
            lengths[at] += _length(files[module])
    return [lane for lane in lanes if lane]


def _length(files: Files) -> int:
    return sum(path.stat().st_size for path in files)


def _measure(files: Mapping[str, Files], lane: Sequence[str], data: Path) -> list[str]:
    """Run the tests of some modules and say what they do not reach, for each."""
    names = [str(path) for module in lane for path in files[module]]
    tested = subprocess.run(
        [sys.executable, "-m", "tests.coverage.run", str(data), *names],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    if tested.returncode:
        return [f"the tests of {', '.join(lane)} fail:\n{tested.stdout[-2_000:]}{tested.stderr[-2_000:]}"]
    return [complaint for module in lane if (complaint := _judge(module, files[module], data))]


def _judge(module: str, files: Files, data: Path) -> str:
    """Say what a module's own tests do not reach; empty when that is nothing."""
    measured = coverage.Coverage(data_file=str(data), branch=True, config_file=False)
    measured.load()
    report = data.with_suffix(f".{module}.json")
    contexts = [f"^{context}$" for context in (IMPORT, *map(context_of, files))]
    measured.json_report(morfs=[str(ROOT / "sync" / f"{module}.py")], contexts=contexts, outfile=str(report))
    (found,) = json.loads(report.read_text(encoding="utf-8"))["files"].values()
    lines, branches = found["missing_lines"], found["missing_branches"]
    return f"sync/{module}.py: lines {lines} and branches {branches} are not reached" if lines or branches else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
