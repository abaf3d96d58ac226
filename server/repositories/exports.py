"""The SQL of exports: who asked for what, the parts of a file, and the end of both."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import delete, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.columns import TableRow
from server.models.exports import DataExport, DataExportPart, ExportState
from server.repositories.unit_of_work import Connection

# Of one account; each is asked for by hand, a few a day.
EXPORTS_MAX: Final = 1_000
MAILS_MAX: Final = 10_000


async def find(session: AsyncSession, user_id: str, export_id: str) -> DataExport | None:
    """Give an export of an account's."""
    statement = select(DataExport).where(col(DataExport.id) == export_id, col(DataExport.user_id) == user_id)
    return (await session.exec(statement)).one_or_none()


async def lock(session: AsyncSession, export_id: str) -> DataExport | None:
    """Give an export as it is now, and hold it to the end of the transaction."""
    statement = select(DataExport).where(col(DataExport.id) == export_id).with_for_update()
    return (await session.exec(statement.execution_options(populate_existing=True))).one_or_none()


async def page(session: AsyncSession, user_id: str, *, after: str | None, limit: int) -> list[DataExport]:
    """Give the exports of an account, the newest first, those behind `after`."""
    statement = select(DataExport).where(col(DataExport.user_id) == user_id)
    if after is not None:
        statement = statement.where(col(DataExport.id) < after)
    return list(await session.exec(statement.order_by(col(DataExport.id).desc()).limit(limit)))


async def of_subject(session: AsyncSession, like: DataExport, state: ExportState) -> list[DataExport]:
    """Give the exports of the account and the subject that one has, in a state, the oldest first."""
    statement = select(DataExport).where(
        col(DataExport.user_id) == like.user_id,
        col(DataExport.kind) == like.kind,
        col(DataExport.center_id).is_not_distinct_from(like.center_id),
        col(DataExport.child_id).is_not_distinct_from(like.child_id),
        col(DataExport.state) == state.value,
    )
    return list(await session.exec(statement.order_by(col(DataExport.id)).limit(EXPORTS_MAX)))


async def add(session: AsyncSession, row: TableRow) -> None:
    """Store a new row."""
    session.add(row)
    await session.flush()


async def due(session: AsyncSession, now: datetime, *, limit: int) -> list[str]:
    """Give the exports that are to be made, those that wait longest first."""
    statement = select(col(DataExport.id)).where(
        col(DataExport.state) == ExportState.QUEUED.value, col(DataExport.not_before) <= now
    )
    return list(await session.exec(statement.order_by(col(DataExport.not_before), col(DataExport.id)).limit(limit)))


async def made(session: AsyncSession, *, after: str, limit: int) -> list[DataExport]:
    """Give exports that can be taken, by id, those behind one."""
    statement = select(DataExport).where(col(DataExport.state) == ExportState.MADE.value, col(DataExport.id) > after)
    return list(await session.exec(statement.order_by(col(DataExport.id)).limit(limit)))


async def part(session: AsyncSession, export_id: str, number: int) -> bytes | None:
    """Give a sealed part of a file."""
    found = await session.get(DataExportPart, (export_id, number))
    return None if found is None else found.body


async def add_part(connection: Connection, row: DataExportPart, *, attempts: int) -> bool:
    """Store a part of a file that is being made; False: the export ended, or somebody else makes it by now."""
    parameters = {**row.model_dump(), "attempts": attempts}
    return (await connection.execute(_ADD_PART, parameters)).rowcount == 1


async def remove_parts(session: AsyncSession, export_id: str) -> None:
    """Take the file of an export away."""
    await session.exec(delete(DataExportPart).where(col(DataExportPart.export_id) == export_id))


async def end_of_erased(
    connection: Connection, *, child_ids: Collection[str], user_ids: Collection[str], at: datetime
) -> None:
    """Take away every file in which some children are, and all that some accounts asked for."""
    parameters = {"child_ids": list(child_ids), "user_ids": list(user_ids), "at": at}
    await connection.execute(_END_OF_ERASED, parameters)


async def forget(session: AsyncSession, *, before: datetime) -> int:
    """Take away the rows of exports that ended before a moment; gives how many."""
    statement = delete(DataExport).where(col(DataExport.ended_at) < before)
    return (await session.exec(statement)).rowcount


async def mails_to(connection: Connection, email: str) -> list[dict[str, object]]:
    """Give which mails an address got or gets, the oldest first: when, about what, and what became of them."""
    rows = await connection.execute(_MAILS, {"email": email, "limit": MAILS_MAX})
    return [dict(row) for row in rows.mappings()]


_ADD_PART: Final = text("""
    INSERT INTO data_export_part (export_id, number, organisation_id, body)
    SELECT id, :number, organisation_id, :body FROM data_export
    WHERE id = :export_id AND organisation_id = :organisation_id AND state = 'queued' AND attempts = :attempts
    FOR UPDATE
""")
# What is queued again is made of what is there then; a child's own file is of nobody any more.
_END_OF_ERASED: Final = text("""
    WITH gone AS (
        UPDATE data_export SET state = 'ended', cause = 'erased', ended_at = :at, salt = NULL
        WHERE state IN ('queued', 'made') AND (
            user_id = ANY(CAST(:user_ids AS uuid[])) OR child_ids && CAST(:child_ids AS uuid[]))
        RETURNING id
    )
    DELETE FROM data_export_part WHERE export_id IN (SELECT id FROM gone)
""")
_MAILS: Final = text("""
    SELECT created_at, sent_at, state, subject FROM mail_outbox
    WHERE lower(recipient) = :email ORDER BY created_at, id LIMIT :limit
""")
