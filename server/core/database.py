"""The door to PostgreSQL: URLs, a bounded engine, and which driver errors mean that the database is away."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import URL, event, make_url
from sqlalchemy import Connection as SqlConnection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from server.core.clock import Clock, SystemClock
from server.core.errors import DatabaseUnavailable, SettingsError

Connection = SqlConnection  # the one name of SQLAlchemy that the rest of core needs
STATEMENT_TIMEOUT_MS: Final = 10_000
LOCK_TIMEOUT_MS: Final = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 30_000  # three statements at their limit
SILENCE_AFTER_TIMEOUT_S: Final = 5.0  # a database that does not even say that a statement took too long
CONNECT_TIMEOUT_S: Final = 10.0
POOL_TIMEOUT_S: Final = 5.0
ASKED_AFTER_MS: Final = 1_000  # a connection that was idle for longer is asked whether it is still there
CLOSE_TIMEOUT_S: Final = 3.0
_IDLE_SINCE_MS: Final = "idle_since_ms"
_DRIVER: Final = "postgresql+asyncpg"
_WRONG_LOGIN: Final = "28P01"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_UNAVAILABLE_STATES: Final = frozenset({"25006", "55P03", "40001", "40P01", "3D000", "28000", "28P01"})


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database under its two roles: the owner migrates, the app runs and owns nothing."""

    owner: str = field(repr=False)
    app: str = field(repr=False)


def normalise_url(url: str) -> str:
    """Give any usual PostgreSQL URL in the form the engine takes, `sslmode` translated to `ssl`.

    Raises SettingsError (without the URL, which holds a password) when it is not one.
    """
    try:
        parsed = make_url(url.strip())
    except ArgumentError:
        raise SettingsError(
            "The database URL cannot be read: it should look like postgresql://user@host/name"
        ) from None
    if parsed.drivername not in {"postgres", "postgresql", _DRIVER}:
        raise SettingsError("The database URL names another database: only postgresql:// is supported")
    if not parsed.database:
        raise SettingsError("The database URL names no database: add it at the end, postgresql://user@host/name")
    return _with_ssl(parsed).set(drivername=_DRIVER).render_as_string(hide_password=False)


class UrlParts(NamedTuple):
    """What may be shown of a database URL: everything but the password."""

    role: str
    place: str
    database: str


def parts_of(url: str) -> UrlParts:
    """Give the parts of a database URL that may be named. Raises SettingsError like `normalise_url`."""
    parsed = make_url(normalise_url(url))
    return UrlParts(
        role=parsed.username or "", place=str(parsed.query.get("host") or parsed.host or "this machine"),
        database=parsed.database or "",
    )  # fmt: skip


def with_role(url: str, role: str, password: str | None) -> str:
    """Give the same database as another role."""
    return make_url(normalise_url(url)).set(username=role, password=password).render_as_string(hide_password=False)


def with_database(url: str, database: str) -> str:
    """Give another database of the same server as the same role."""
    return make_url(normalise_url(url)).set(database=database).render_as_string(hide_password=False)


def socket_url(socket_dir: Path, *, role: str, password: str, database: str) -> str:
    """Give the URL of a database behind a unix socket."""
    url = URL.create(_DRIVER, role, password, database=database, query={"host": str(socket_dir)})
    return url.render_as_string(hide_password=False)


class Answer(Enum):
    """What a database says to one try to connect."""

    YES = "takes connections"
    SILENT = "does not answer, or not yet"
    REFUSED = "refuses the password"


async def knock(url: str) -> Answer:
    """Try one connection and close it again; takes at most about 10 s."""
    engine = create_async_engine(normalise_url(url), poolclass=NullPool, connect_args={"timeout": 5})
    try:
        async with engine.connect():
            return Answer.YES
    except Exception as error:
        if sqlstate_of(error) == _WRONG_LOGIN:
            return Answer.REFUSED
        if is_unavailable(error):
            return Answer.SILENT
        raise
    finally:
        await engine.dispose()


def _with_ssl(url: URL) -> URL:
    query = dict(url.query)
    mode = query.pop("sslmode", None)
    if mode is not None:
        query.setdefault("ssl", mode)
    for unknown in ("channel_binding", "gssencmode"):  # libpq knows them, asyncpg does not
        query.pop(unknown, None)
    return url.set(query=query)


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    application_name: str = "rollcall",
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    clock: Clock | None = None,
) -> AsyncEngine:
    """Make an engine with bounds on everything; it connects when first used, and `close_engine` closes it.

    `pool_size` connections stay open and as many again may open in a rush; a connection is looked at before use,
    so that a restart of the database costs nobody a request. A time-out of 0 means none.

    The database itself ends a statement that takes too long. One that stands still cannot: five seconds later the
    statement ends here, as TimeoutError, and its connection is dropped, because nothing more will come of it.
    """
    server_settings = {
        "application_name": application_name,
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(lock_timeout_ms),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        "timezone": "UTC",
    }
    wait_s = statement_timeout_ms / 1000 + SILENCE_AFTER_TIMEOUT_S if statement_timeout_ms else None
    engine = create_async_engine(
        normalise_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=1800,
        pool_use_lifo=True,  # the one used last has what it was asked before still planned
        hide_parameters=True,  # parameters hold names of children; errors end up in logs
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": wait_s, "server_settings": server_settings},
    )
    event.listen(engine.sync_engine, "handle_error", _drop_what_is_silent)
    guard = _Guard(clock or SystemClock())
    event.listen(engine.sync_engine, "checkin", guard.came_back)
    event.listen(engine.sync_engine, "checkout", guard.goes_out)
    return engine


async def close_engine(engine: AsyncEngine) -> None:
    """Say goodbye on all connections, or let go of them after three seconds: a silent database holds up no end."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await engine.dispose()
    except TimeoutError:
        await engine.dispose(close=False)


def _drop_what_is_silent(context: ExceptionContext) -> None:
    """Let no rollback wait once more on a connection that did not answer."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True


class _Guard:
    """Looks at each connection of a pool before it is used; a lost one is replaced, and with it all that are as old.

    The end of a database closes its sockets, which the driver notices by itself; what only a question can find, a
    network that went away without a word, needs some time to happen. The pool's own check asks before every use, at
    the price of four messages, where a whole check-in takes a dozen.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def came_back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE_MS] = self._clock.monotonic_ms()

    def goes_out(self, connection: Any, record: ConnectionPoolEntry, _fairy: object) -> None:
        now_ms = self._clock.monotonic_ms()
        idle_ms = now_ms - record.info.pop(_IDLE_SINCE_MS, now_ms)
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if idle_ms <= ASKED_AFTER_MS:
            return
        try:
            connection.ping()
        except Exception as error:
            raise InvalidatePoolError from error


def sqlstate_of(error: BaseException) -> str | None:
    """Give the five-character SQLSTATE that PostgreSQL sent with an error, or None."""
    for link in _chain(error):
        state = getattr(link, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def constraint_of(error: BaseException) -> str | None:
    """Give the name of the constraint that an error says was broken, or None."""
    for link in _chain(error):
        name = getattr(link, "constraint_name", None)
        if isinstance(name, str):
            return name
    return None


def is_unavailable(error: BaseException) -> bool:
    """Tell whether an error of driver or engine means: the database is away, full, read only or too slow."""
    state = sqlstate_of(error)
    if state is not None:
        return state in _UNAVAILABLE_STATES or state[:2] in _UNAVAILABLE_CLASSES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    lost = (
        OSError,
        asyncio.TimeoutError,
        ssl.SSLError,
        PoolTimeoutError,
        InterfaceError,
        asyncpg.InterfaceError,
    )
    return any(isinstance(link, lost) for link in _chain(error))


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn errors that mean the database is away into DatabaseUnavailable; every other goes on as it is."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DatabaseUnavailable) or not is_unavailable(error):
            raise
        raise DatabaseUnavailable from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [getattr(link, "orig", None), link.__cause__]
