"""The SQL of what became of jobs: the last runs of each, and which lock a server holds now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text

from server.models.erasure import JobRun
from server.repositories.job_locks import key_of
from server.repositories.unit_of_work import Connection

RUNS_KEPT: Final = 20  # of each job
PROBLEMS_KEPT: Final = 20  # of each job, beside the last runs


async def note(connection: Connection, run: JobRun) -> None:
    """Note a run that is over, under the next number of its job, and let go of the oldest ones."""
    await connection.execute(_NOTE, run.model_dump(exclude={"number"}))
    await connection.execute(_FORGET, {"job": run.job, "runs": RUNS_KEPT, "problems": PROBLEMS_KEPT})


async def last_runs(connection: Connection) -> list[JobRun]:
    """Give the runs that are kept, by job, those that were noted last first."""
    rows = await connection.execute(_LAST)
    return [JobRun(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way


async def running(connection: Connection, names: tuple[str, ...]) -> Mapping[str, datetime]:
    """Give of which jobs a server holds the lock now, with since when its connection has done so."""
    keys = {key_of(name): name for name in names}
    rows = await connection.execute(_LOCKS, {"keys": list(keys)})
    return {keys[row.key]: row.since for row in rows}


# Of two servers that end a run of one job at one moment, one note is enough.
_NOTE: Final = text("""
    INSERT INTO job_run (job, number, server, started_at, took_ms, outcome, problem)
    SELECT CAST(:job AS varchar), coalesce(max(number), 0) + 1, :server, :started_at, :took_ms, :outcome, :problem
    FROM job_run WHERE job = :job
    ON CONFLICT DO NOTHING
""")
_FORGET: Final = text("""
    DELETE FROM job_run WHERE job = :job
      AND number NOT IN (SELECT number FROM job_run WHERE job = :job ORDER BY number DESC LIMIT :runs)
      AND number NOT IN (
          SELECT number FROM job_run WHERE job = :job AND problem <> '' ORDER BY number DESC LIMIT :problems)
""")
_LAST: Final = text("""
    SELECT job, number, server, started_at, took_ms, outcome, problem FROM job_run ORDER BY job, number DESC
""")
_LOCKS: Final = text("""
    SELECT (CAST(held.classid AS bigint) << 32) | CAST(held.objid AS bigint) AS key, activity.query_start AS since
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
      AND (CAST(held.classid AS bigint) << 32) | CAST(held.objid AS bigint) = ANY(CAST(:keys AS bigint[]))
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
