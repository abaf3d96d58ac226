"""The composition root of what the operator does to the books: each use-case with the role it must work as."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

from server.core.asking import THE_SERVER, asks
from server.core.clock import SystemClock
from server.core.database import close_engine, create_engine, parts_of
from server.core.ids import Ids
from server.core.settings import Settings
from server.core.signed_heads import HeadKey
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.history import History, HistoryOptions, Written
from server.sample.history import Progress as HistoryProgress
from server.sample.played_clock import PlayedClock
from server.services.backup import Backup
from server.services.compaction import Compaction
from server.services.database_setup import borrow_database
from server.services.directory import Directory
from server.services.erasure_list import ErasureList
from server.services.incidents import Incidents
from server.services.job_book import JobOffice
from server.services.journal_import import JournalImport
from server.services.journal_intake import JournalIntake
from server.services.mail import MailOffice
from server.services.projections import Projections
from server.services.restore import Restore
from server.services.retention import Retention
from server.services.scope import Scope
from server.services.verification import Verification
from server.services.verification_heads import HeadsVerification

# One command does one thing after the other; a push that falls apart into its entries needs no second connection.
POOL_SIZE = 2
# Two lanes of the intake, and what is read beside them.
HISTORY_POOL_SIZE = 4


@dataclass(frozen=True, slots=True)
class Operation:
    """One of each."""

    backup: Backup
    compaction: Compaction
    directory: Directory
    erasures: ErasureList
    heads: HeadsVerification
    incidents: Incidents
    jobs: JobOffice
    journal_import: JournalImport
    projections: Projections
    mail: MailOffice
    restore: Restore
    retention: Retention
    scope: Scope
    verification: Verification


@asynccontextmanager
async def operation(settings: Settings) -> AsyncIterator[Operation]:
    """Give the use-cases to a command, beside a running server or without one.

    What reads or writes the books as a whole works as the owner of the tables, and takes as long as it takes; what
    the server does too works as the server's own role, with its limits.

    Raises:
        SetupError, DatabaseUnavailable: with a sentence for the operator.

    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(borrow_database(settings))
        clock = SystemClock()
        ids = Ids(clock)
        as_server = create_engine(database.urls.app, pool_size=POOL_SIZE)
        as_owner = create_engine(database.urls.owner, pool_size=POOL_SIZE, statement_timeout_ms=0)
        for engine in (as_server, as_owner):
            stack.push_async_callback(close_engine, engine)
        units = UnitsOfWork(as_server, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
        books = UnitsOfWork(as_owner, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
        stack.enter_context(asks(THE_SERVER))
        yield Operation(
            backup=Backup(books, clock),
            compaction=Compaction(books, clock),
            directory=Directory(units),
            erasures=ErasureList(units),
            heads=HeadsVerification(books, HeadKey(settings.secret_key.get_secret_value()).public_key),
            incidents=Incidents(units),
            jobs=JobOffice(units, clock),
            journal_import=JournalImport(units, JournalIntake(units, clock)),
            projections=Projections(books),
            mail=MailOffice(units, clock),
            restore=Restore(books, clock, ids.new, parts_of(database.urls.app).role),
            retention=Retention(units, clock, ids.new, settings.retention_years),
            scope=Scope(units, clock, ids.new),
            verification=Verification(books),
        )


async def write_history(settings: Settings, options: HistoryOptions, progress: HistoryProgress) -> Written:
    """Write centres with years behind them.

    Raises:
        Conflict, InvalidInput: with a sentence for the operator; nothing was written.
        SetupError, DatabaseUnavailable: likewise; what was written before stands.

    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(borrow_database(settings))
        engine = create_engine(database.urls.app, pool_size=HISTORY_POOL_SIZE)
        as_owner = create_engine(database.urls.owner, pool_size=1, statement_timeout_ms=0)
        for one in (engine, as_owner):
            stack.push_async_callback(close_engine, one)
        clock = PlayedClock()
        luck = Random(f"{options.seed}:ids")  # noqa: S311 - ids of a sample; keys and salts are real luck
        ids = Ids(clock, luck.randbytes)
        units = UnitsOfWork(engine, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
        history = History(units, clock, luck, settings.secret_key.get_secret_value())
        with asks(THE_SERVER):
            written = await history.write(options, progress)
            await history.tell_planner(UnitsOfWork(as_owner, clock=clock, luck=secrets.token_bytes, new_id=ids.new))
        return written
