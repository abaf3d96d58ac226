"""The benchmarks reach into screens and desks, so a change there can end them: each still measures what it names.

How fast it was is nobody's question here.
"""

import asyncio
import sys

import pytest

from server.demo.processes import run_to_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEADLINE_S = 240.0


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("b6", ("push to answer p99", "recorded here p50", "raw: SQLCipher commit")),
        ("b10", ("cold start", "search p99", "action p50", "ready again worst", "raw: Textual key")),
    ],
)
def test_a_benchmark_of_the_desk_ends_with_its_figures(name: str, lines: tuple[str, ...]) -> None:
    arguments = [sys.executable, "-m", "tests.bench", "--only", name, "--quick", "--runs", "1"]
    table = asyncio.run(run_to_end(arguments, environment={}, deadline_s=DEADLINE_S)).partition("== All")[2]
    assert [line for line in lines if line not in table] == []
