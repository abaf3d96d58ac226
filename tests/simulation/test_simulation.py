"""A short run of the simulator: what once failed, a few seeds, the same twice, and planted defects that are found."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import POSTGRES_VARIABLE, Lane, lane_of
from tests.simulation.regressions import Regression, is_still_sharp, load_all, replay
from tests.simulation.run import kill, run_seed
from tests.simulation.test_docs import planted_defects
from tests.support.postgres import PostgresServer

SEEDS = 40
REGRESSIONS = load_all()
# Where `--mutants`, which takes minutes, found each of them: the table of docs/reliability.md.
FOUND_AT = planted_defects()
_HASH_OF_A_TRACE = "from tests.simulation.run import run_seed; print(run_seed({seed}).trace_hash)"


@pytest.mark.parametrize("regression", REGRESSIONS, ids=[regression.name for regression in REGRESSIONS])
def test_what_once_failed_holds_and_would_be_seen_again(regression: Regression) -> None:
    result = replay(regression)
    assert result.violation is None, "\n".join((*result.tail, f"{regression.name}: {result.violation}"))
    assert is_still_sharp(regression), f"{regression.mutant} is no longer found; shrink a seed that finds it"


@pytest.mark.parametrize("seed", [seed for seed in range(1, SEEDS + 1) if lane_of(seed) is not Lane.POSTGRES])
def test_every_invariant_holds_whatever_fails(seed: int) -> None:
    result = run_seed(seed)
    assert result.violation is None, "\n".join((*result.tail, f"seed {seed}: {result.violation}"))


@pytest.mark.parametrize("seed", [7, 20])
def test_a_seed_is_the_same_story_in_every_process(seed: int) -> None:
    told = {_trace_hash(seed, hash_seed) for hash_seed in ("0", "4242")}
    assert told == {run_seed(seed).trace_hash}


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [50, 150])
def test_a_seed_on_postgresql_holds_and_is_the_same_story_in_every_process(
    seed: int, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {"admin": postgres_server.admin_url, **asdict(postgres_server.template)}
    monkeypatch.setenv(POSTGRES_VARIABLE, json.dumps(urls))
    result = run_seed(seed)
    assert result.lane is Lane.POSTGRES
    assert result.violation is None, "\n".join((*result.tail, f"seed {seed}: {result.violation}"))
    assert _trace_hash(seed, "4242") == result.trace_hash


def _trace_hash(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-c", _HASH_OF_A_TRACE.format(seed=seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_different_seeds_are_different_stories() -> None:
    assert len({run_seed(seed).trace_hash for seed in range(1, 6)}) == 5


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_defect_is_found(mutant: str) -> None:
    seed, checker = FOUND_AT[mutant]
    death = kill((mutant, seed, 1))
    assert (death.seed, death.checker) == (seed, checker), (
        "`python -m tests.simulation --mutants` tells where it is found now"
    )
