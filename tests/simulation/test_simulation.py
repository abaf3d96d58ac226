"""A short run of the simulator: a few seeds, the same twice, and the planted defects that are found quickly."""

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import kill, run_seed

SEEDS = 40
# These need a rare run of faults; `python -m tests.simulation --mutants` finds them, in minutes.
RARE = {
    "cursor_outside_the_transaction": 97,
    "ignore_the_incarnation": 52,
    "snapshots_are_mixed": 83,
}
_HASH_OF_A_TRACE = "from tests.simulation.run import run_seed; print(run_seed({seed}).trace_hash)"


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_every_invariant_holds_whatever_fails(seed: int) -> None:
    result = run_seed(seed)
    assert result.violation is None, "\n".join((*result.tail, f"seed {seed}: {result.violation}"))


@pytest.mark.parametrize("seed", [7, 20])
def test_a_seed_is_the_same_story_in_every_process(seed: int) -> None:
    told = {_trace_hash(seed, hash_seed) for hash_seed in ("0", "4242")}
    assert told == {run_seed(seed).trace_hash}


def _trace_hash(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-c", _HASH_OF_A_TRACE.format(seed=seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_different_seeds_are_different_stories() -> None:
    assert len({run_seed(seed).trace_hash for seed in range(1, 6)}) == 5


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name not in RARE])
def test_a_planted_defect_is_found(mutant: str) -> None:
    death = kill((mutant, 1, SEEDS))
    assert death.seed is not None, f"{mutant} survives {SEEDS} seeds"


@pytest.mark.parametrize("mutant", sorted(RARE))
def test_a_planted_defect_that_hides_is_found_by_the_seed_that_is_known_for_it(mutant: str) -> None:
    assert kill((mutant, RARE[mutant], 1)).seed == RARE[mutant]
