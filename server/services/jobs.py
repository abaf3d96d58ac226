"""What happens by itself, again and again: a registry of jobs, and the timer that starts them.

A job is a coroutine without arguments that decides by its `Clock` what is due; the timer only says "look again", so a
start that is late or missing changes no outcome. This also means that time zones and daylight saving are the job's
business, where a test can move the clock, and not the timer's. A job can be run by hand with `Jobs.run_once`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from server.core.asking import THE_SERVER, asks
from server.core.errors import Unavailable

# Between a stop and the end of the process there are 15 s, 13 of which belong to desks and requests.
STOP_WAIT_S: Final = 2.0

_log = structlog.get_logger(__name__)


class RunsOn(Enum):
    """Which of several servers on one database run a job."""

    ONE_SERVER = "one at a time"
    EVERY_SERVER = "all of them, whenever they like"


class Outcome(Enum):
    """How a run ended."""

    DONE = "done"
    ELSEWHERE = "another server is at it"
    NO_DATABASE = "the database is away"
    OVERRAN = "it was stopped at its deadline"
    FAILED = "it failed"


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, how often (seconds from start to start), and how long a run may take (seconds)."""

    name: str
    every_s: int
    deadline_s: float
    run: Callable[[], Awaitable[object]]
    runs_on: RunsOn = RunsOn.ONE_SERVER


@dataclass(frozen=True, slots=True)
class Begun:
    """When a run began: by the wall clock for people, by the monotonic one (milliseconds) for how long it takes."""

    at: datetime
    monotonic_ms: int


class Book(Protocol):
    """Where it is written down what became of runs."""

    def begin(self) -> Begun:
        """Give the moment."""

    async def end(self, job: str, begun: Begun, outcome: Outcome, problem: str) -> None:
        """Note how a run ended; `problem` is the name of an error, or empty."""


class Locks(Protocol):
    """How servers agree on who runs a job."""

    def held(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold the lock of a job for a block; gives False when another server has it."""


class Jobs:
    """Runs jobs for as long as `running` lasts; a job never runs beside itself in one process."""

    def __init__(
        self, locks: Locks, jobs: Sequence[Job], *, book: Book | None = None, stop_wait_s: float = STOP_WAIT_S
    ) -> None:
        """Register jobs, each name once, whose runs are noted in `book`.

        Runs that are under way at the end have `stop_wait_s` to finish.
        """
        self._locks = locks
        self._book = book
        self._jobs = {job.name: job for job in jobs}
        if len(self._jobs) != len(jobs):
            raise ValueError("two jobs have the same name")
        self._stop_wait_s = stop_wait_s
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._again: set[str] = set()
        self._is_running = False

    def wake(self, name: str) -> None:
        """Start a job now, or once more when it is under way; does nothing outside of `running`."""
        if not self._is_running:
            return
        if name in self._tasks:
            self._again.add(name)
        else:
            self._start(self._jobs[name])

    async def run_once(self, name: str) -> Outcome:
        """Run a job to its end, as the timer would; what goes wrong is logged and never raised."""
        job = self._jobs[name]
        with asks(THE_SERVER):
            if self._book is None:
                return (await self._run(job))[0]
            begun = self._book.begin()
            outcome, problem = await self._run(job)
            await self._book.end(name, begun, outcome, problem)
            return outcome

    async def _run(self, job: Job) -> tuple[Outcome, str]:
        """Run a job; gives how it ended, and the name of the error that ended it."""
        name = job.name
        deadline = asyncio.timeout(job.deadline_s)
        try:
            async with deadline:
                return await self._run_locked(job), ""
        except Unavailable as error:
            _log.warning("job_without_database", job=name)
            return Outcome.NO_DATABASE, type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever the defect, the other jobs and the next runs go on
            if isinstance(error, TimeoutError) and deadline.expired():
                _log.error("job_overran", job=name, deadline_s=job.deadline_s)
                return Outcome.OVERRAN, f"longer than {job.deadline_s:g} s"
            _log.error("job_failed", job=name, exc_info=error)
            return Outcome.FAILED, type(error).__name__

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start jobs by the timer for as long as the block takes; then let runs finish, for a while."""
        timer = AsyncIOScheduler(timezone=UTC)
        for job in self._jobs.values():
            # `coalesce` and no grace: however late, one start for all that were missed.
            timer.add_job(
                self._tick, IntervalTrigger(seconds=job.every_s, timezone=UTC), args=[job], id=job.name,
                max_instances=1, coalesce=True, misfire_grace_time=None,
            )  # fmt: skip
        timer.start()
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False
            timer.pause()
            await self._stop()
            timer.shutdown(wait=False)
            await asyncio.sleep(0)  # it ends with the next turn of the loop

    async def _run_locked(self, job: Job) -> Outcome:
        if job.runs_on is RunsOn.EVERY_SERVER:
            await job.run()
            return Outcome.DONE
        async with self._locks.held(job.name) as is_ours:
            if not is_ours:
                return Outcome.ELSEWHERE
            await job.run()
            return Outcome.DONE

    async def _tick(self, job: Job) -> None:
        """What the timer calls: never waits, so that it is never held to be running."""
        if self._is_running and job.name not in self._tasks:
            self._start(job)

    def _start(self, job: Job) -> None:
        task = asyncio.create_task(self.run_once(job.name), name=f"job {job.name}")
        self._tasks[job.name] = task
        task.add_done_callback(lambda _task: self._ended(job))

    def _ended(self, job: Job) -> None:
        self._tasks.pop(job.name, None)
        if job.name in self._again:
            self._again.discard(job.name)
            self.wake(job.name)

    async def _stop(self) -> None:
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._stop_wait_s)
        for task in late:
            _log.warning("job_stopped", job=task.get_name())
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
