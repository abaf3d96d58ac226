"""Jobs: run by hand, by the timer and when woken; what a failing, slow or doubled one does to the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from server.core.errors import DatabaseUnavailable
from server.services.jobs import Begun, Job, Jobs, Outcome, RunsOn
from tests.support.clock import FakeClock

DEADLINE_S = 20.0


class Locks:
    """Locks of one process; `taken` are those that another server has."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)
        self.is_away = False

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[bool]:
        if self.is_away:
            raise DatabaseUnavailable
        if name in self.taken:
            yield False
            return
        self.taken.add(name)
        try:
            yield True
        finally:
            self.taken.remove(name)


class Work:
    """A job that can be held up, and counts its runs."""

    def __init__(self, *, is_free: bool = True) -> None:
        self.begun = 0
        self.done = 0
        self.gate = asyncio.Event()
        self.changed = asyncio.Condition()
        if is_free:
            self.gate.set()

    async def run(self) -> None:
        self.begun += 1
        await self._tell()
        await self.gate.wait()
        self.done += 1
        await self._tell()

    async def until_begun(self, times: int) -> None:
        async with asyncio.timeout(DEADLINE_S), self.changed:
            await self.changed.wait_for(lambda: self.begun >= times)

    async def until_done(self, times: int) -> None:
        async with asyncio.timeout(DEADLINE_S), self.changed:
            await self.changed.wait_for(lambda: self.done >= times)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def job(work: Work, *, every_s: int = 3600, deadline_s: float = DEADLINE_S, runs_on: RunsOn = RunsOn.ONE_SERVER) -> Job:
    return Job("work", every_s, deadline_s, work.run, runs_on)


async def test_a_job_is_run_once_by_hand_and_lets_go_of_its_lock() -> None:
    work, locks = Work(), Locks()
    jobs = Jobs(locks, [job(work)])
    assert await jobs.run_once("work") is Outcome.DONE
    assert (work.done, locks.taken) == (1, set())


async def test_a_job_that_another_server_is_at_is_left_to_it() -> None:
    work = Work()
    assert await Jobs(Locks("work"), [job(work)]).run_once("work") is Outcome.ELSEWHERE
    assert work.begun == 0


async def test_a_job_of_every_server_asks_for_no_lock() -> None:
    work = Work()
    everywhere = job(work, runs_on=RunsOn.EVERY_SERVER)
    assert await Jobs(Locks("work"), [everywhere]).run_once("work") is Outcome.DONE


async def test_a_run_that_takes_too_long_is_ended_and_lets_go_of_its_lock() -> None:
    work, locks = Work(is_free=False), Locks()
    with capture_logs() as lines:
        assert await Jobs(locks, [job(work, deadline_s=0.01)]).run_once("work") is Outcome.OVERRAN
    assert (work.begun, work.done, locks.taken) == (1, 0, set())
    assert [line["event"] for line in lines] == ["job_overran"]


@pytest.mark.parametrize(
    ("error", "outcome", "event"),
    [
        (ZeroDivisionError(), Outcome.FAILED, "job_failed"),
        (TimeoutError(), Outcome.FAILED, "job_failed"),
        (DatabaseUnavailable(), Outcome.NO_DATABASE, "job_without_database"),
    ],
)
async def test_what_goes_wrong_is_told_by_its_name_and_raised_to_nobody(
    error: Exception, outcome: Outcome, event: str
) -> None:
    async def fail() -> None:
        raise error

    with capture_logs() as lines:
        assert await Jobs(Locks(), [Job("work", 1, 1.0, fail)]).run_once("work") is outcome
    assert [(line["event"], line["job"]) for line in lines] == [(event, "work")]


async def test_without_a_database_for_the_lock_nothing_is_run() -> None:
    work, locks = Work(), Locks()
    locks.is_away = True
    assert await Jobs(locks, [job(work)]).run_once("work") is Outcome.NO_DATABASE
    assert work.begun == 0


async def test_the_timer_runs_a_job_again_and_again_though_another_one_fails() -> None:
    work = Work()

    async def fail() -> None:
        raise ZeroDivisionError

    jobs = Jobs(Locks(), [Job("bad", 1, 1.0, fail), job(work, every_s=1)])
    with capture_logs() as lines:
        async with jobs.running():
            await work.until_done(2)
    assert "job_failed" in {line["event"] for line in lines}
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("job ")]


async def test_a_job_is_woken_at_once_and_once_more_when_it_was_under_way() -> None:
    work = Work(is_free=False)
    jobs = Jobs(Locks(), [job(work)])
    async with jobs.running():
        jobs.wake("work")
        await work.until_begun(1)
        for _ in range(5):
            jobs.wake("work")
        work.gate.set()
        await work.until_done(2)
    assert (work.begun, work.done) == (2, 2)


async def test_nobody_is_woken_before_the_start_or_after_the_stop() -> None:
    work = Work()
    jobs = Jobs(Locks(), [job(work)])
    jobs.wake("work")
    async with jobs.running():
        pass
    jobs.wake("work")
    await asyncio.sleep(0)
    assert work.begun == 0


async def test_a_stop_waits_for_what_is_under_way_and_starts_nothing_more() -> None:
    work = Work(is_free=False)
    jobs = Jobs(Locks(), [job(work)], stop_wait_s=DEADLINE_S)
    async with jobs.running():
        jobs.wake("work")
        await work.until_begun(1)
        jobs.wake("work")
        asyncio.get_running_loop().call_later(0.05, work.gate.set)
    assert (work.begun, work.done) == (1, 1)


async def test_a_stop_ends_what_does_not_end_by_itself() -> None:
    work, locks = Work(is_free=False), Locks()
    jobs = Jobs(locks, [job(work)], stop_wait_s=0.01)
    with capture_logs() as lines:
        async with jobs.running():
            jobs.wake("work")
            await work.until_begun(1)
    assert (work.done, locks.taken) == (0, set())
    assert [line["event"] for line in lines] == ["job_stopped"]


async def test_a_block_that_fails_ends_the_jobs_too() -> None:
    work = Work(is_free=False)
    jobs = Jobs(Locks(), [job(work)], stop_wait_s=0.01)
    with suppress(ZeroDivisionError):
        async with jobs.running():
            jobs.wake("work")
            await work.until_begun(1)
            raise ZeroDivisionError
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("job ")]


def test_two_jobs_of_one_name_are_a_mistake() -> None:
    async def nothing() -> None:
        return

    with pytest.raises(ValueError, match="same name"):
        Jobs(Locks(), [Job("a", 1, 1.0, nothing), Job("a", 2, 1.0, nothing)])


class Pages:
    """A book of one process; its clock can be set while a run goes on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.noted: list[tuple[str, int, str, str]] = []

    def begin(self) -> Begun:
        return Begun(self.clock.now(), self.clock.monotonic_ms())

    async def end(self, job: str, begun: Begun, outcome: Outcome, problem: str) -> None:
        self.noted.append((job, self.clock.monotonic_ms() - begun.monotonic_ms, outcome.name, problem))


async def test_each_run_is_written_down_with_how_it_ended_and_without_what_it_said() -> None:
    book, locks = Pages(), Locks("elsewhere")

    async def step_back() -> None:
        book.clock.advance_ms(1_500)
        book.clock.set_wall_ms(0)

    async def fail() -> None:
        raise ValueError("a name")

    async def hang() -> None:
        await asyncio.Event().wait()

    work = {"good": step_back, "bad": fail, "slow": hang, "elsewhere": step_back}
    jobs = Jobs(locks, [Job(name, 60, 0.05, one) for name, one in work.items()], book=book)
    for name in work:
        await jobs.run_once(name)
    assert book.noted == [
        ("good", 1_500, "DONE", ""), ("bad", 0, "FAILED", "ValueError"), ("slow", 0, "OVERRAN", "longer than 0.05 s"),
        ("elsewhere", 0, "ELSEWHERE", ""),
    ]  # fmt: skip
    locks.is_away = True
    await jobs.run_once("good")
    assert book.noted[-1] == ("good", 0, "NO_DATABASE", "DatabaseUnavailable")
