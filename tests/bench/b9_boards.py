"""B9: one desk records ten check-ins a second; how soon each is on the live board of 200 viewers of its centre."""

import asyncio
import bisect
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx

from tests.bench.figures import Figures, Line, Report, quantile
from tests.bench.machine import Processors, resident_kib
from tests.bench.sse_echo import sse_echo
from tests.bench.stage import DEADLINE_S, ENROL_AT_ONCE, Center, Stage
from tests.bench.writer import CheckIn, run_writer
from tests.support.world import PASSWORD

VIEWERS: Final = 200
USERS: Final = 10  # a user may have twenty streams
CHILDREN: Final = 60
INTERVAL_MS: Final = 100
COMMITS: Final = 200
QUICK_COMMITS: Final = 50
EVENT_BYTES_MAX: Final = 4 * 1024 * 1024
KIB: Final = 1024

LINES: Final = (
    Line("p50, ms", "commit to bytes at each viewer", None, "raw: p50, ms"),
    Line("p99, ms", "the same", 100, "raw: p99, ms"),
    Line("a board, KiB", "one event on the wire"),
    Line("a viewer, KiB", "the server's memory, by the difference", 100),
    Line("raw: p50, ms", "events of that size, ten a second, with no database and nothing of ours"),
    Line("raw: p99, ms", "the same"),
)
# Many log-ins with one hash: to make it anew for each would take longer than the bench.
_USERS: Final = """
    WITH made AS (
        INSERT INTO user_account (id, organisation_id, email, display_name, password_hash, is_active, created_at)
        SELECT gen_random_uuid(), organisation_id, 'viewer-' || number || '@example.org', 'Viewer', password_hash, true,
               created_at
        FROM user_account, generate_series(1, $1) AS number WHERE email NOT LIKE 'viewer-%'
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO membership (id, user_id, center_id, role_id) SELECT gen_random_uuid(), id, NULL, 4 FROM made
"""


class Viewer:
    """One stream: when which version was there (nanoseconds of the clock all processes share)."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.at_ns: list[int] = []
        self.bytes = 0

    async def watch(self, port: int, path: str, token: str, gate: asyncio.Semaphore) -> None:
        """Open the stream, a few at a time as the gate says, and read it until cancelled."""
        await gate.acquire()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=EVENT_BYTES_MAX)
        try:
            asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            writer.write(asked.encode())
            status = await reader.readline()
            assert b" 200 " in status, status
            await reader.readuntil(b"\n\n")
            gate.release()
            while True:
                event = await reader.readuntil(b"\n\n")
                now_ns = time.perf_counter_ns()
                at = event.rfind(b"\nid: ")
                if at >= 0:
                    self.versions.append(int(event[at:].rpartition(b":")[2]))
                    self.at_ns.append(now_ns)
                    self.bytes = len(event)
        finally:
            writer.close()

    def had_ns(self, version: int) -> int:
        """When a board was there that holds the version."""
        return self.at_ns[bisect.bisect_left(self.versions, version)]


async def measure(stage: Stage) -> Report:
    """The viewers are bare sockets in the process of the benchmark; the desk has a process of its own."""
    commits = stage.options.pick(COMMITS, QUICK_COMMITS)
    center = await stage.new_center(CHILDREN)
    desk = await stage.enrol(center)
    tokens = await _tokens(stage)
    runs: list[Figures] = []
    busy = ""
    for number in range(stage.options.runs):
        task = stage.bar.add_task(f"B9: run {number + 1} of {stage.options.runs}", total=None)
        before_kib = resident_kib(stage.server_pid)
        async with _audience(_port(stage), _path(center), tokens) as viewers:
            per_viewer_kib = (resident_kib(stage.server_pid) - before_kib) / VIEWERS
            processors = Processors(stage.server_pid, stage.server_data)
            written = await run_writer(stage, desk, commits, INTERVAL_MS)
            await _until(viewers, max(row.version for row in written))
            busy = processors.words()
            size = viewers[0].bytes
            figures = _figures(written, viewers)
        raw = await _raw(size, commits)
        stage.bar.remove_task(task)
        runs.append({**figures, **raw, "a board, KiB": size / KIB, "a viewer, KiB": per_viewer_kib})
    did = f"{1000 // INTERVAL_MS} commits/s, {commits} commits a run, {VIEWERS} viewers of one centre"
    return Report("B9", did, runs, LINES, [f"{busy} (kiosks: the one that records, and all viewers)"])


async def _tokens(stage: Stage) -> list[str]:
    async with stage.driver() as driver:
        await driver.execute(_USERS, USERS)
    async with httpx.AsyncClient(base_url=stage.address, timeout=DEADLINE_S, trust_env=False) as client:
        found = []
        for number in range(1, USERS + 1):
            form = {"username": f"viewer-{number}@example.org", "password": PASSWORD}
            answer = await client.post("/api/v1/auth/token", data=form)
            found.append(str(answer.raise_for_status().json()["access_token"]))
        return found


@asynccontextmanager
async def _audience(port: int, path: str, tokens: Sequence[str]) -> AsyncIterator[list[Viewer]]:
    viewers, gate = [Viewer() for _ in range(VIEWERS)], asyncio.Semaphore(ENROL_AT_ONCE)
    tasks = [
        asyncio.create_task(viewer.watch(port, path, tokens[number % len(tokens)], gate))
        for number, viewer in enumerate(viewers)
    ]
    try:
        await _until(viewers, 0, tasks)
        yield viewers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(viewers: Sequence[Viewer], version: int, tasks: "Sequence[asyncio.Task[None]]" = ()) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not all(viewer.versions and viewer.versions[-1] >= version for viewer in viewers):
            await asyncio.sleep(0.05)
            for task in tasks:
                if task.done():
                    task.result()  # a stream that could not be opened says why


def _figures(written: Sequence[CheckIn], viewers: Sequence[Viewer]) -> Figures:
    waits = [(viewer.had_ns(row.version) - row.committed_ns) / 1e6 for row in written for viewer in viewers]
    return {"p50, ms": quantile(waits, 0.5), "p99, ms": quantile(waits, 0.99)}


async def _raw(size: int, events: int) -> Figures:
    async with sse_echo(size) as port, _audience(port, "/", ("none",)) as viewers:
        heard = min(len(viewer.versions) for viewer in viewers)
        async with asyncio.timeout(DEADLINE_S):
            while any(len(viewer.versions) < heard + events for viewer in viewers):
                await asyncio.sleep(0.05)
        # The first events were sent while others still connected; an id here is when its event was made.
        waits = [
            (at_ns - made_ns) / 1e6
            for viewer in viewers
            for made_ns, at_ns in zip(viewer.versions[-events:], viewer.at_ns[-events:], strict=True)
        ]
    return {"raw: p50, ms": quantile(waits, 0.5), "raw: p99, ms": quantile(waits, 0.99)}


def _port(stage: Stage) -> int:
    return int(stage.address.rpartition(":")[2])


def _path(center: Center) -> str:
    return f"/api/v1/centers/{center.id}/live"
