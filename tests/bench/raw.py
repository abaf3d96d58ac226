"""Raw limits: the same work with nothing of ours around it, on the same machine in the same minute."""

import secrets
import statistics
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kiosk.store.database import Database

TRIES: Final = 3
COMMITS: Final = 200
BATCH: Final = 500
_TABLE: Final = "bench_raw"
_COLUMNS: Final = (
    "center_id uuid, device_id uuid, seq bigint, event_id text, kind text, body bytea, hlc bigint, wall_ms bigint, "
    "previous_hash bytea, hash bytea, signature bytea, outcome smallint"
)
_TYPES: Final = (
    "uuid", "uuid", "bigint", "text", "text", "bytea", "bigint", "bigint", "bytea", "bytea", "bytea", "smallint",
)  # fmt: skip


async def select_rows(driver: Any, center_id: str) -> tuple[float, list[tuple[Any, ...]]]:
    """Rows a second of reading all records of a centre, and the rows."""
    rates, rows = [], []
    for _ in range(TRIES):
        began_s = time.perf_counter()
        rows = await driver.fetch(_SELECT, center_id)
        rates.append(len(rows) / (time.perf_counter() - began_s))
    return statistics.median(rates), [tuple(row) for row in rows]


_SELECT: Final = (
    "SELECT bucket, entity, entity_id, version, body, salt, commitment FROM current_record WHERE center_id = $1"
)


def bulk_rows_per_s(folder: Path, rows: Sequence[tuple[Any, ...]]) -> float:
    """Rows a second into an encrypted file: one table with an index, one durable transaction."""
    rates = []
    for number in range(TRIES):
        database = Database.open(folder / f"raw-{number}.db", secrets.token_bytes(32))
        with database.transaction():
            database.execute(
                "CREATE TABLE raw (bucket TEXT, entity TEXT, entity_id TEXT, version INTEGER, body BLOB, salt BLOB,"
                " commitment BLOB, PRIMARY KEY (entity, entity_id)) STRICT, WITHOUT ROWID"
            )
            database.execute("CREATE INDEX raw_by_bucket ON raw (bucket)")
        began_s = time.perf_counter()
        with database.transaction():
            database.execute_many("INSERT INTO raw VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        rates.append(len(rows) / (time.perf_counter() - began_s))
        database.close_now()
    return statistics.median(rates)


def replica_commit_ms(folder: Path) -> float:
    """One row in one durable transaction of an encrypted file."""
    database = Database.open(folder / f"commits-{secrets.token_hex(4)}.db", secrets.token_bytes(32))
    with database.transaction():
        database.execute("CREATE TABLE raw (number INTEGER PRIMARY KEY) STRICT")
    times = []
    for number in range(COMMITS):
        began_s = time.perf_counter()
        with database.transaction():
            database.execute("INSERT INTO raw VALUES (?)", (number,))
        times.append((time.perf_counter() - began_s) * 1000)
    database.close_now()
    return statistics.median(times)


async def insert_rows_per_s(driver: Any, entries: int) -> float:
    """Rows a second into PostgreSQL by `INSERT ... SELECT unnest`, 500 in a transaction, without any index."""
    await _make_table(driver)
    places = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_TYPES, start=1))
    statement = await driver.prepare(f"INSERT INTO {_TABLE} SELECT * FROM unnest({places})")
    batches = [_columns(begin, min(BATCH, entries - begin)) for begin in range(0, entries, BATCH)]
    began_s = time.perf_counter()
    for columns in batches:
        await statement.fetch(*columns)
    rate = entries / (time.perf_counter() - began_s)
    await driver.execute(f"DROP TABLE {_TABLE}")
    return rate


async def postgres_commit_ms(driver: Any) -> float:
    """One row in one durable transaction of PostgreSQL, from one connection."""
    await _make_table(driver)
    places = ", ".join(f"${number}::{kind}" for number, kind in enumerate(_TYPES, start=1))
    statement = await driver.prepare(f"INSERT INTO {_TABLE} VALUES ({places})")
    times = []
    for number in range(COMMITS):
        row = [column[0] for column in _columns(number, 1)]
        began_s = time.perf_counter()
        await statement.fetch(*row)
        times.append((time.perf_counter() - began_s) * 1000)
    await driver.execute(f"DROP TABLE {_TABLE}")
    return statistics.median(times)


async def _make_table(driver: Any) -> None:
    await driver.execute(f"DROP TABLE IF EXISTS {_TABLE}")
    await driver.execute(f"CREATE TABLE {_TABLE} ({_COLUMNS})")


def _columns(begin: int, count: int) -> list[list[Any]]:
    ids = [uuid.UUID(bytes=secrets.token_bytes(16)) for _ in range(count)]
    numbers = list(range(begin, begin + count))
    hashes = [secrets.token_bytes(32) for _ in range(count)]
    return [
        ids, ids, numbers, [str(one) for one in ids], ["check_in"] * count, [secrets.token_bytes(400)] * count, numbers,
        numbers, hashes, hashes, [secrets.token_bytes(64)] * count, [1] * count,
    ]  # fmt: skip
