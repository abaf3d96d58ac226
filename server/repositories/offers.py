"""The SQL of what a centre offers: its services, and the terms of each by day."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.planning import Service, ServiceTerms

SERVICES_MAX: Final = 200
TERMS_MAX: Final = 100


async def of_center(session: AsyncSession, center_id: str) -> list[Service]:
    """Give the services of a centre by their code, also those that are not offered any more."""
    statement = select(Service).where(col(Service.center_id) == center_id)
    return list(await session.exec(statement.order_by(col(Service.code)).limit(SERVICES_MAX)))


async def find(session: AsyncSession, center_id: str, service_id: str) -> Service | None:
    """Give a service by its id."""
    return await session.get(Service, (center_id, service_id))


async def lock(session: AsyncSession, center_id: str, service_ids: Collection[str]) -> dict[str, Service]:
    """Hold services until the end of the transaction, in order of their ids, and give those there are by id.

    Whoever gives or takes places of a service holds it first, so that two never count the same free place. The heads
    of centres are taken before (`unit_of_work`).
    """
    wanted = select(Service).where(col(Service.center_id) == center_id, col(Service.id).in_(sorted(set(service_ids))))
    # Other rows may go on referring to the service meanwhile: NO KEY.
    held = wanted.order_by(col(Service.id)).with_for_update(key_share=True)
    rows = await session.exec(held.limit(SERVICES_MAX).execution_options(populate_existing=True))
    return {row.id: row for row in rows}


async def lock_all(session: AsyncSession, center_id: str) -> dict[str, Service]:
    """Hold every service of a centre, as `lock`."""
    ids = select(col(Service.id)).where(col(Service.center_id) == center_id).order_by(col(Service.id))
    return await lock(session, center_id, list(await session.exec(ids.limit(SERVICES_MAX))))


async def terms(session: AsyncSession, center_id: str, service_ids: Collection[str]) -> list[ServiceTerms]:
    """Give the terms of some services by the day from which they hold."""
    statement = select(ServiceTerms).where(
        col(ServiceTerms.center_id) == center_id, col(ServiceTerms.service_id).in_(list(service_ids))
    )
    ordered = statement.order_by(col(ServiceTerms.service_id), col(ServiceTerms.effective_from))
    return list(await session.exec(ordered.limit(SERVICES_MAX * TERMS_MAX)))


async def find_terms(session: AsyncSession, center_id: str, service_id: str, day: date) -> ServiceTerms | None:
    """Give the terms that begin on a day."""
    return await session.get(ServiceTerms, (center_id, service_id, day))


async def newest_terms_version(session: AsyncSession, center_id: str, service_id: str) -> int:
    """Give the highest version of the terms of a service; 0 when it has none."""
    statement = select(func.max(col(ServiceTerms.version))).where(
        col(ServiceTerms.center_id) == center_id, col(ServiceTerms.service_id) == service_id
    )
    return (await session.exec(statement)).one() or 0


async def add(session: AsyncSession, row: Service | ServiceTerms) -> None:
    """Store a new service, or new terms."""
    session.add(row)
    await session.flush()
