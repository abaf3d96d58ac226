"""Jobs of several servers on one PostgreSQL, and of a whole server whose managers get their mail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from server.app import running_app
from server.core.database import create_engine
from server.core.errors import DatabaseUnavailable
from server.repositories.job_locks import JobLocks, key_of
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import RoleId
from server.services.accounts import NewUser
from server.services.job_book import JobBook, JobOffice
from server.services.job_list import JOB_KINDS
from server.services.jobs import Job, Jobs, Outcome
from server.services.notifications import managers_of
from server.services.roster_file import SourceFile
from tests.support.api import CENTERS, PASSWORD, Api, running_api, settings_for
from tests.support.clock import FakeClock
from tests.support.post_office import SENDER, post_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
DEADLINE_S = 20.0
FINDING = "two_collectors:01990000-0000-7000-8000-000000000001:01990000-0000-7000-8000-000000000002"


@asynccontextmanager
async def locks_on(database: FreshDatabase) -> AsyncIterator[tuple[JobLocks, AsyncEngine]]:
    engine = create_engine(database.urls.app, pool_size=1)
    try:
        yield JobLocks(engine), engine
    finally:
        await engine.dispose()


async def test_one_server_at_a_time_holds_the_lock_of_a_job(database: FreshDatabase) -> None:
    async with locks_on(database) as (here, _), locks_on(database) as (there, _):
        async with here.held("a") as is_ours, there.held("a") as is_theirs, there.held("b") as is_other:
            assert (is_ours, is_theirs, is_other) == (True, False, True)
        async with there.held("a") as is_theirs:
            assert is_theirs


async def test_a_block_that_fails_lets_go_and_its_error_is_its_own(database: FreshDatabase) -> None:
    async with locks_on(database) as (here, _), locks_on(database) as (there, _):
        with pytest.raises(OSError, match="the disk"):
            async with here.held("a"):
                raise OSError("the disk")
        async with there.held("a") as is_theirs:
            assert is_theirs


async def test_a_server_that_is_cut_off_loses_the_lock_to_another(database: FreshDatabase) -> None:
    async with locks_on(database) as (here, engine), locks_on(database) as (there, other):

        async def cut_off() -> None:
            async with here.held("a"):
                async with other.connect() as connection:
                    await connection.exec_driver_sql(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' "
                        f"AND (classid::bigint << 32 | objid::bigint) = {key_of('a')}"
                    )
                async with there.held("a") as is_theirs:
                    assert is_theirs

        with pytest.raises(DatabaseUnavailable):
            await cut_off()
        async with here.held("a") as is_ours:
            assert is_ours, "the pool made another connection"
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_of_two_servers_one_runs_a_job(database: FreshDatabase) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await gate.wait()

    async with locks_on(database) as (here, _), locks_on(database) as (there, _):
        job = Job("auto_close", 60, DEADLINE_S, work)
        first = asyncio.create_task(Jobs(here, [job]).run_once("auto_close"))
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
            assert await Jobs(there, [job]).run_once("auto_close") is Outcome.ELSEWHERE
            gate.set()
            assert await first is Outcome.DONE
            assert await Jobs(there, [job]).run_once("auto_close") is Outcome.DONE


async def test_managers_of_a_centre_are_its_active_managers_and_nobody_else(api: Api, database: FreshDatabase) -> None:
    for who in ("manager", "stranger", "staff", "parent", "admin"):
        await api.sign_in(who)
    await api.services.accounts.create(NewUser("left@example.org", "Left", RoleId.MANAGER, "north"), PASSWORD)
    await api.services.accounts.create(NewUser("anna@example.org", "Anna", RoleId.MANAGER, "north"), PASSWORD)
    engine = create_engine(database.urls.app)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE user_account SET is_active = false WHERE email = 'left@example.org'")
    center = await api.services.centers.by_code("north")
    async with UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=str).begin() as unit:
        assert await managers_of(unit, center) == ["anna@example.org", "manager@example.org"]
    await engine.dispose()


async def test_a_running_server_tells_the_managers_at_once_and_once(database: FreshDatabase, tmp_path: Path) -> None:
    async with post_office() as office:
        mail = {"smtp_host": "localhost", "smtp_port": office.port, "smtp_tls": "none", "smtp_from": SENDER}
        settings = settings_for(database, tmp_path, public_url="https://rollcall.example.org/", **mail)
        async with running_api(settings) as api:
            await api.services.roster_import.run([SourceFile("roster.csv", CENTERS.encode())])
            await api.sign_in("manager")
            center = await api.services.centers.by_code("north")
            engine = create_engine(database.urls.app)
            units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=str)
            for expected in (1, 0):
                async with units.begin() as unit:
                    assert await api.services.notifications.tell_critical(unit, center, [FINDING]) == expected
            await engine.dispose()
            async with asyncio.timeout(3):  # the timer alone would look after five seconds
                await office.arrived.wait()
    (found,) = office.delivered
    assert found.recipient == "manager@example.org"
    assert "North House" in found.message["Subject"]
    assert "https://rollcall.example.org\n" in found.message.get_content().replace("\r\n", "\n")


async def test_a_mail_server_that_is_away_keeps_no_server_from_starting(
    database: FreshDatabase, tmp_path: Path
) -> None:
    mail = {"smtp_host": "localhost", "smtp_port": 1, "smtp_from": SENDER}
    async with running_app(settings_for(database, tmp_path, **mail), clock=FakeClock()) as running:
        assert (await running.services.health.readiness()).is_ready


async def test_jobs_tells_who_ran_what_when_and_who_is_at_it_whatever_the_clock(database: FreshDatabase) -> None:
    clock = FakeClock()
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=clock, luck=bytes, new_id=str)
    fates = iter((False, False, True, True, False, True))

    async def close() -> None:
        clock.advance_ms(2_000)
        clock.set_wall_ms(clock.wall_ms() - 3_600_000)
        if next(fates):
            raise ValueError("Zoë")

    async with locks_on(database) as (locks, _):
        jobs = Jobs(locks, [Job("auto_close", 60, DEADLINE_S, close)], book=JobBook(units, clock, "here:1"))
        for _ in range(5):  # the second says nothing new within a minute
            await jobs.run_once("auto_close")
        office = JobOffice(units, clock)
        async with locks.held("auto_close"):
            standing = {one.kind.name: one for one in await office.standing()}
    assert list(standing) == [kind.name for kind in JOB_KINDS]
    closing, never = standing["auto_close"], standing["retention"]
    assert [(run.number, run.outcome, run.problem, run.took_ms, run.server) for run in closing.runs] == [
        (4, "done", "", 2_000, "here:1"), (3, "failed", "ValueError", 2_000, "here:1"),
        (2, "failed", "ValueError", 2_000, "here:1"), (1, "done", "", 2_000, "here:1"),
    ]  # fmt: skip
    assert (closing.running_since is not None, closing.next_at) == (True, None)
    assert (never.runs, never.running_since, never.next_at) == ([], None, None)
    assert {one.kind.name: one.running_since for one in await office.standing()}["auto_close"] is None
    clock.set_wall_ms(clock.wall_ms() + 24 * 3_600_000)
    assert {one.kind.name: one.next_at for one in await office.standing()}["auto_close"] == clock.now()
    # However often something goes wrong, the table stays small.
    async with units.begin() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO job_run SELECT 'auto_close', n, 'x', now(), 1, 'done', '' FROM generate_series(5, 99) AS n"
        )
    await jobs.run_once("auto_close")
    assert sum(len(one.runs) for one in await office.standing()) <= 22
    await engine.dispose()
