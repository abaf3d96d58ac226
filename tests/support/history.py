"""A small sample of years on a database of the tests."""

from datetime import date
from random import Random

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.history import History, HistoryOptions, Written
from server.sample.played_clock import PlayedClock
from tests.support.api import SECRET
from tests.support.postgres import FreshDatabase, PostgresServer, made_once

# Four weeks with a training day on which both centres are closed, and the change of the clocks in London.
SMALL = HistoryOptions(centres=2, days=26, last_day=date(2026, 10, 27), children=8, seed="small")


async def write_history(database: FreshDatabase, options: HistoryOptions = SMALL) -> Written:
    """Write it."""
    engine = create_engine(database.urls.app, pool_size=4)
    try:
        clock, luck = PlayedClock(), Random(f"{options.seed}:ids")
        units = UnitsOfWork(engine, clock=clock, luck=Random(1).randbytes, new_id=Ids(clock, luck.randbytes).new)
        return await History(units, clock, luck, SECRET).write(options)
    finally:
        await engine.dispose()


async def history_template(server: PostgresServer) -> str:
    """Give a template with the small history, written once in a run."""

    async def fill(made: FreshDatabase) -> None:
        await write_history(made)

    return await made_once(server, "history", fill)
