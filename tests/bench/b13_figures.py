"""B13: figures over years, of five centres with three years behind them, beside a plain count over the same rows."""

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from random import Random  # noqa: TID251 - the seeded generator of the sample
from typing import Final

from sqlalchemy import text

from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.history import History, HistoryOptions
from server.sample.played_clock import PlayedClock
from server.services.access import Centers
from server.services.analytics import BREACH_DAYS_MAX, USAGE_DAYS_MAX, Analytics
from tests.bench.figures import Figures, Line, Report
from tests.bench.stage import Stage

CENTRES: Final = 5
DAYS: Final = 1_096
QUICK_DAYS: Final = 60
LAST_DAY: Final = date(2026, 8, 31)
CODE: Final = "lantern-hill"

LINES: Final = (
    Line("attendance, ms", "booked, present, away, by day, of the whole period", 2_000, "raw: count of stays, ms"),
    Line("occupancy, ms", "each quarter of an hour", 2_000, "raw: count of stays, ms"),
    Line("times, ms", "arrivals, departures, punctuality", 2_000, "raw: count of stays, ms"),
    Line("rooms, ms", "by room and age", 2_000, "raw: count of stays, ms"),
    Line("records, ms", "how each entry was made", 2_000, "raw: count of events, ms"),
    Line("anomalies, ms", "rounding, closed days, two centres", 2_000, "raw: count of events, ms"),
    Line("usage of a year, ms", "by the rules of statements, in Python", 10_000, "raw: count of stays, ms"),
    Line("breaches of a month, ms", "judged moment by moment, in Python", 10_000, "raw: count of stays, ms"),
    Line("seed: days of centres/s", "as it wrote them", is_rate=True),
    Line("raw: count of stays, ms", "count(*) of those of the centre"),
    Line("raw: count of events, ms", "count(*) of those of the centre, with the length of each body"),
)
_STAYS: Final = text("SELECT count(*) FROM stay WHERE center_id = :center_id")
_EVENTS: Final = text("SELECT count(*), sum(length(body)) FROM attendance_event WHERE center_id = :center_id")


async def measure(stage: Stage) -> Report:
    """Seed once, then ask everything in each run; the server of the stage is idle meanwhile."""
    days = stage.options.pick(DAYS, QUICK_DAYS)
    task = stage.bar.add_task("B13: seeding", total=CENTRES * days)
    engine = create_engine(stage.database_url(), pool_size=4, statement_timeout_ms=0)
    try:
        played, luck = PlayedClock(), Random("b13")
        books = UnitsOfWork(engine, clock=played, luck=luck.randbytes, new_id=Ids(played, luck.randbytes).new)
        began_s = time.perf_counter()
        options = HistoryOptions(CENTRES, days, LAST_DAY, into_existing=True)
        history = History(books, played, luck, secrets.token_urlsafe(32))
        await history.write(options, lambda done, _: stage.bar.update(task, completed=done))
        written_s = time.perf_counter() - began_s
        async with stage.driver() as driver:
            await driver.execute("ANALYZE")
        clock = SystemClock()
        units = UnitsOfWork(engine, clock=clock, luck=bytes, new_id=Ids(clock).new)
        runs = [await _run(units, Analytics(units, clock), days) for _ in range(stage.options.runs)]
    finally:
        await engine.dispose()
        stage.bar.remove_task(task)
    runs = [{**run, "seed: days of centres/s": CENTRES * days / written_s} for run in runs]
    return Report("B13", f"{CENTRES} centres, {days} days, the figures of one", runs, LINES)


async def _run(units: UnitsOfWork, asked: Analytics, days: int) -> Figures:
    center = await Centers(units).by_code(CODE)
    first = LAST_DAY - timedelta(days=days - 1)
    year, month = (max(first, LAST_DAY - timedelta(days=most - 1)) for most in (USAGE_DAYS_MAX, BREACH_DAYS_MAX))

    async def counted(statement: object) -> None:
        async with units.read() as connection:
            await connection.execute(statement, {"center_id": center.id})  # type: ignore[call-overload]

    return {
        "raw: count of stays, ms": await _ms(lambda: counted(_STAYS)),
        "raw: count of events, ms": await _ms(lambda: counted(_EVENTS)),
        "attendance, ms": await _ms(lambda: asked.attendance(center, first, LAST_DAY)),
        "occupancy, ms": await _ms(lambda: asked.occupancy(center, first, LAST_DAY)),
        "times, ms": await _ms(lambda: asked.times(center, first, LAST_DAY)),
        "rooms, ms": await _ms(lambda: asked.rooms(center, first, LAST_DAY)),
        "records, ms": await _ms(lambda: asked.records(center, first, LAST_DAY)),
        "anomalies, ms": await _ms(lambda: asked.anomalies(center, first, LAST_DAY, {})),
        "usage of a year, ms": await _ms(lambda: asked.usage(center, year, LAST_DAY)),
        "breaches of a month, ms": await _ms(lambda: asked.breaches(center, month, LAST_DAY)),
    }


async def _ms(work: Callable[[], Awaitable[object]]) -> float:
    began_s = time.perf_counter()
    await work()
    return (time.perf_counter() - began_s) * 1_000
