"""B6: one check-in on one desk: until it is recorded here, and until the server's answer is durable here too."""

from collections.abc import Sequence
from typing import Final

from tests.bench import raw
from tests.bench.figures import Figures, Line, Report, quantile
from tests.bench.machine import Processors
from tests.bench.stage import Stage
from tests.bench.writer import CheckIn, run_writer

CHILDREN: Final = 60
CHECK_INS: Final = 300
QUICK_CHECK_INS: Final = 60

LINES: Final = (
    Line("push to answer p50, ms", "sent to answered, at the desk", 5, "raw: PostgreSQL commit, ms"),
    Line("push to answer p99, ms", "the same", 20, "raw: PostgreSQL commit, ms"),
    Line("recorded here p50, ms", "call to durable on the desk", 5, "raw: SQLCipher commit, ms"),
    Line("recorded here p99, ms", "the same", 20, "raw: SQLCipher commit, ms"),
    Line("confirmed p50, ms", "call to the answer durable on the desk"),
    Line("confirmed p99, ms", "the same"),
    Line("raw: PostgreSQL commit, ms", "one row, one connection"),
    Line("raw: SQLCipher commit, ms", "one row, synchronous=FULL"),
)


async def measure(stage: Stage) -> Report:
    """The desk has a process of its own; the next check-in begins when the one before is confirmed."""
    count = stage.options.pick(CHECK_INS, QUICK_CHECK_INS)
    runs: list[Figures] = []
    busy = ""
    for number in range(stage.options.runs):
        folder = await stage.enrol(await stage.new_center(CHILDREN))
        task = stage.bar.add_task(f"B6: run {number + 1} of {stage.options.runs}", total=None)
        processors = Processors(stage.server_pid, stage.server_data)
        written = await run_writer(stage, folder, count, 0)
        busy = processors.words()
        stage.bar.remove_task(task)
        async with stage.driver() as driver:
            postgres_ms = await raw.postgres_commit_ms(driver)
        replica_ms = raw.replica_commit_ms(stage.folder)
        limits = {"raw: PostgreSQL commit, ms": postgres_ms, "raw: SQLCipher commit, ms": replica_ms}
        runs.append({**_figures(written), **limits})
    did = f"{count} check-ins, one after the other, with {CHILDREN} children on the roster"
    return Report("B6", did, runs, LINES, [busy.partition(", kiosks")[0]])


def _figures(written: Sequence[CheckIn]) -> Figures:
    times = {
        "push to answer": [row.acknowledged_ns - row.sent_ns for row in written],
        "recorded here": [row.recorded_ns - row.called_ns for row in written],
        "confirmed": [row.confirmed_ns - row.called_ns for row in written],
    }
    return {
        f"{name} p{percent}, ms": quantile(values, percent / 100) / 1e6
        for name, values in times.items()
        for percent in (50, 99)
    }
