"""The pages about the simulator name what exists, and leave nothing out."""

import re
from pathlib import Path

from tests.simulation.crashes import POINTS
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import AWAY, FAULTS

ROOT = Path(__file__).parents[2]
SIMULATOR = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
RELIABILITY = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
_COMPLAINT = re.compile(r'(?:Violated|return|violation =|or) ?\("([a-z_]+)"')


def _section(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def _first_column(table: str) -> list[str]:
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


def planted_defects() -> dict[str, tuple[int, str]]:
    """The seed and the checker that the table says find each planted defect."""
    rows = [line.split("|") for line in _section(RELIABILITY, "Planted defects").splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): (int(row[2]), row[3].strip(" `")) for row in rows}


def _checkers() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/simulation").glob("*.py")]
    return {name for source in sources for name in _COMPLAINT.findall(source)}


def test_every_checker_is_described_and_every_one_described_exists() -> None:
    assert sorted(_first_column(_section(SIMULATOR, "What is checked"))) == sorted(_checkers())


def test_every_planted_defect_is_in_the_table_with_the_checker_that_finds_it() -> None:
    found = planted_defects()
    assert sorted(found) == sorted(MUTANTS)
    assert {checker for _, checker in found.values()} <= _checkers()
    assert all(1 <= seed <= 300 for seed, _ in found.values())


def test_every_fault_and_crash_point_of_the_long_run_is_in_its_tables() -> None:
    assert _first_column(_section(RELIABILITY, "The long run")) == [*sorted((*FAULTS, AWAY)), *POINTS]


def test_whatever_the_catalogue_calls_a_proof_exists() -> None:
    catalogue = _section(RELIABILITY, "The catalogue")
    proofs = {name for row in catalogue.splitlines() for name in re.findall(r"`([a-z0-9_]+)`", row.split("|")[-2:][0])}
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"def (test_[a-z0-9_]+)", sources))
    known = tests | {*FAULTS, AWAY} | _checkers() | set(MUTANTS)
    assert sorted(proofs - known) == []


def test_every_fault_of_the_simulator_has_its_place_in_the_catalogue() -> None:
    catalogue = _section(RELIABILITY, "The catalogue")
    assert [name for name in FAULTS if f"`{name}`" not in catalogue] == []
