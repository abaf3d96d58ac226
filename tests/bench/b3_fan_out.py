"""B3: one desk records 25 check-ins a second; how soon each is durable in the replicas of 20 others."""

import asyncio
from pathlib import Path
from typing import Final

from tests.bench import raw
from tests.bench.figures import Figures, Line, Report, quantile
from tests.bench.follower import Follower
from tests.bench.machine import Processors
from tests.bench.stage import Center, Stage, gather_limited
from tests.bench.writer import CheckIn, run_writer

KIOSKS: Final = 20
CHILDREN: Final = 60
INTERVAL_MS: Final = 40
COMMITS: Final = 500
QUICK_COMMITS: Final = 100

LINES: Final = (
    Line("p50, ms", "commit to durable in each replica", 10, "raw: two commits, ms"),
    Line("p99, ms", "commit to durable in each replica", 30, "raw: two commits, ms"),
    Line("slowest p50, ms", "commit to durable in the last replica"),
    Line("slowest p99, ms", "commit to durable in the last replica"),
    Line("push p50, ms", "the writer's push to its answer meanwhile"),
    Line("raw: two commits, ms", "one of PostgreSQL, one of SQLCipher"),
)


async def measure(stage: Stage) -> Report:
    """Each follower has a process of its own, as the writer has."""
    commits = stage.options.pick(COMMITS, QUICK_COMMITS)
    center = await stage.new_center(CHILDREN)
    followers = await gather_limited(stage, "B3: kiosks", KIOSKS, lambda: _follower(stage, center))
    writer = await stage.enrol(center)
    runs: list[Figures] = []
    busy = ""
    try:
        for number in range(stage.options.runs):
            task = stage.bar.add_task(f"B3: run {number + 1} of {stage.options.runs}", total=None)
            pids = [follower.pid for follower in followers]
            processors = Processors(stage.server_pid, stage.server_data, kiosks=pids)
            figures = await _run(stage, followers, writer, commits)
            busy = processors.words()
            stage.bar.remove_task(task)
            async with stage.driver() as driver:
                two = await raw.postgres_commit_ms(driver) + raw.replica_commit_ms(stage.folder)
            runs.append({**figures, "raw: two commits, ms": two})
    finally:
        await asyncio.gather(*(follower.stop() for follower in followers))
    did = f"{1000 // INTERVAL_MS} commits/s to {KIOSKS} kiosks, {commits} commits a run"
    return Report("B3", did, runs, LINES, [f"{busy} (kiosks: {KIOSKS} that follow and the one that records)"])


async def _follower(stage: Stage, center: Center) -> Follower:
    return await Follower.start(await stage.enrol(center))


async def _run(stage: Stage, followers: list[Follower], writer: Path, commits: int) -> Figures:
    written = await run_writer(stage, writer, commits, INTERVAL_MS)
    last = max(row.version for row in written)
    durable = await asyncio.gather(*(follower.durable_through(last) for follower in followers))
    return _figures(written, durable)


def _figures(written: list[CheckIn], durable: list[dict[int, int]]) -> Figures:
    waits, slowest = [], []
    for row in written:
        seen = [one[row.version] for one in durable]
        assert row.committed_ns, f"nothing told of version {row.version}"
        waits += [(at - row.committed_ns) / 1e6 for at in seen]
        slowest.append((max(seen) - row.committed_ns) / 1e6)
    pushes = [(row.acknowledged_ns - row.sent_ns) / 1e6 for row in written]
    return {
        "p50, ms": quantile(waits, 0.5),
        "p99, ms": quantile(waits, 0.99),
        "slowest p50, ms": quantile(slowest, 0.5),
        "slowest p99, ms": quantile(slowest, 0.99),
        "push p50, ms": quantile(pushes, 0.5),
    }
