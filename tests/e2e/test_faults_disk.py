"""Full disks under a desk and under the server, and a limit on the size of files: refused clearly, recovers."""

import asyncio
import resource
import time
from pathlib import Path

import httpx
import pytest

from server.core.postgres_cluster import ADMIN_ROLE, ClusterFiles
from tests.support.faults.disk import small_disk
from tests.support.faults.worlds import FaultDesk, fault_world
from tests.support.world import DEADLINE_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

MIB = 1024 * 1024
RECORDED_MAX = 200
REFUSALS = 3


async def _statuses(desk: FaultDesk) -> dict[str, str]:
    return {child["child_id"]: child["status"] for child in (await desk.ask("roster"))["children"]}


async def _until_refused(desk: FaultDesk) -> tuple[str, str]:
    """Check the last children in and out until the desk refuses; says whom, and the code. The refused is not shown."""
    statuses = await _statuses(desk)
    children = list(statuses)[-10:]
    for number in range(RECORDED_MAX):
        child = children[number % len(children)]
        was_in = statuses[child] == "in"
        line = await desk.press(child, "check_out" if was_in else "check_in")
        assert line is not None
        if line["event"] == "error":
            assert ((await _statuses(desk))[child] == "in") == was_in
            return child, line["code"]
        statuses[child] = "out" if was_in else "in"
    pytest.fail("the desk was never refused anything")


async def test_a_desk_on_a_full_disk_refuses_clearly_shows_what_it_has_and_recovers_by_itself(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        await two.stop()
        with small_disk(two.data, 4 * MIB) as disk:
            await two.start()
            (first,) = await one.absent(1)
            await two.press(first)
            for _ in range(REFUSALS):  # after one refusal a little room may be found, as the log is settled
                disk.fill()
                _, code = await _until_refused(two)
                # Where the room ends decides which: in a write, or in opening the log once more after a refusal.
                assert code in ("storage_full", "storage_failed")
                assert (await _statuses(two))[first] == "in"
            disk.free()
            line = await two.press(first, "check_out")
            assert line is not None
            assert line["event"] == "recorded", line
            await world.check_nothing_lost_or_doubled()
            await two.stop()


async def test_a_desk_whose_files_may_not_grow_refuses_clearly_and_recovers_by_itself(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, _):
        _, hard = resource.prlimit(one.pid, resource.RLIMIT_FSIZE)
        log = one.data / "replica.db-wal"
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 64 * 1024, hard))
        child, code = await _until_refused(one)
        print(f"refused with {code}")
        resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (hard, hard))
        status = (await _statuses(one))[child]
        line = await one.press(child, "check_out" if status == "in" else "check_in")
        assert line is not None
        assert line["event"] == "recorded", line
        await world.check_nothing_lost_or_doubled()


async def test_a_server_on_a_full_disk_says_so_and_everything_is_delivered_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "server", 200 * MIB) as disk:
        async with fault_world(tmp_path) as (world, one, two):
            children = await one.absent(12)
            await one.press(children[0])
            disk.fill()
            await _begin_the_next_log_file(tmp_path / "server")
            for number, child in enumerate(children[1:]):
                await (one, two)[number % 2].press(child)
            await _until_red(world.client)
            assert (await world.client.get("/livez")).status_code == httpx.codes.OK
            assert (await one.ask("status"))["waiting"] > 0
            disk.free()
            freed_at = time.monotonic()
            await world.until_ready()
            await world.check_nothing_lost_or_doubled()
            print(f"delivered {time.monotonic() - freed_at:.1f} s after there was room")


async def _until_red(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await client.get("/readyz")).status_code != httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(0.1)


async def _begin_the_next_log_file(data_dir: Path) -> None:
    """PostgreSQL takes its log's room 16 MiB at a time; let it need the next ones now."""
    import asyncpg

    url = ClusterFiles(data_dir).access().url(ADMIN_ROLE, "postgres").replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    try:
        for _ in range(3):
            await connection.execute("SELECT pg_switch_wal(), txid_current()")
    except asyncpg.PostgresError:
        pass
    finally:
        await connection.close(timeout=5)
