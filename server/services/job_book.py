"""What became of each run of a job, written down for `rollcall-server jobs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Unavailable
from server.models.columns import CODE_MAX, NAME_MAX
from server.models.erasure import JobRun
from server.repositories import job_runs
from server.repositories.unit_of_work import UnitsOfWork
from server.services.job_list import JOB_KINDS, JobKind
from server.services.jobs import Begun, Outcome

# A job that goes well every five seconds is written down once a minute; whatever does not, each time.
AGAIN_AFTER_MS: Final = 60_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job, its last runs (the newest first), since when one goes on (None: none does), and when it is due next.

    `next_at` is None when nobody can say: it never ran, or a clock was set back since it did.
    """

    kind: JobKind
    runs: Sequence[JobRun]
    running_since: datetime | None
    next_at: datetime | None


class JobBook:
    """Notes runs; a database that is away costs the note and nothing else."""

    def __init__(self, units: UnitsOfWork, clock: Clock, server: str) -> None:
        """Write through `units`; `server` is the name under which this process is told."""
        self._units = units
        self._clock = clock
        self._server = server[:CODE_MAX]
        self._noted_ms: dict[str, int] = {}

    def begin(self) -> Begun:
        """Give the moment, by both clocks: a duration is not what a wall clock says that was set meanwhile."""
        return Begun(self._clock.now(), self._clock.monotonic_ms())

    async def end(self, job: str, begun: Begun, outcome: Outcome, problem: str) -> None:
        """Note how a run ended; one that another server was at is that server's to tell."""
        if outcome is Outcome.ELSEWHERE or (outcome is Outcome.DONE and not self._is_news(job)):
            return
        run = JobRun(
            job=job, number=0, server=self._server, started_at=begun.at,
            took_ms=self._clock.monotonic_ms() - begun.monotonic_ms, outcome=outcome.name.lower(),
            problem=problem[:NAME_MAX],
        )  # fmt: skip
        try:
            async with self._units.begin() as unit:
                await job_runs.note(unit.connection, run)
        except Unavailable:
            _log.warning("job_run_not_noted", job=job)
            return
        if outcome is Outcome.DONE:
            self._noted_ms[job] = self._clock.monotonic_ms()
        else:
            self._noted_ms.pop(job, None)

    def _is_news(self, job: str) -> bool:
        noted_ms = self._noted_ms.get(job)
        return noted_ms is None or self._clock.monotonic_ms() - noted_ms >= AGAIN_AFTER_MS


class JobOffice:
    """Tells how the jobs are doing."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def standing(self) -> list[JobStanding]:
        """Give every job, in the order in which they are listed."""
        async with self._units.read() as connection:
            runs = await job_runs.last_runs(connection)
            held = await job_runs.running(connection, tuple(kind.name for kind in JOB_KINDS))
        now = self._clock.now()
        found = []
        for kind in JOB_KINDS:
            mine = [run for run in runs if run.job == kind.name]
            next_at = next_start(mine[0].started_at if mine else None, kind.every_s, now)
            found.append(JobStanding(kind, mine, held.get(kind.name), next_at))
        return found


def next_start(last: datetime | None, every_s: int, now: datetime) -> datetime | None:
    """Give when a job starts next, at the latest from `now` on, when it started last and a server runs.

    None: it never ran, or `last` lies ahead, since a clock was set back: whoever waits for it sees it start anyway.
    """
    if last is None or last > now:
        return None
    return max(now, last + timedelta(seconds=every_s))
