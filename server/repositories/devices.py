"""The SQL of kiosks, enrolment codes and nonces."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.devices import Device, DeviceKind, DeviceNonce, EnrolmentCode

DEVICES_MAX = 1_000


async def find(session: AsyncSession, device_id: str) -> Device | None:
    """Give a device by its id."""
    return await session.get(Device, device_id)


async def hold(session: AsyncSession, device: Device) -> None:
    """Hold a device to the end of the transaction, and read again what another may have just decided of it."""
    await session.refresh(device, with_for_update={"key_share": True})


async def find_by_key(session: AsyncSession, public_key: bytes) -> Device | None:
    """Give the device that has a public key."""
    return (await session.exec(select(Device).where(col(Device.public_key) == public_key))).one_or_none()


async def of_center(session: AsyncSession, center_id: str) -> list[Device]:
    """Give the kiosks of a centre by name."""
    statement = select(Device).where(col(Device.center_id) == center_id, col(Device.kind) == DeviceKind.KIOSK)
    return list(await session.exec(statement.order_by(col(Device.name), col(Device.id)).limit(DEVICES_MAX)))


async def server_desk_ids(session: AsyncSession, center_ids: Collection[str]) -> frozenset[str]:
    """Give the server's own desks of some centres."""
    statement = select(col(Device.id)).where(
        col(Device.center_id).in_(list(center_ids)), col(Device.kind) == DeviceKind.SERVER
    )
    return frozenset(await session.exec(statement.order_by(col(Device.id)).limit(DEVICES_MAX)))


async def add_server_desk(session: AsyncSession, desk: Device) -> None:
    """Store the server's own desk of a centre, unless it is there."""
    await session.exec(insert(Device).values(**desk.model_dump()).on_conflict_do_nothing(index_elements=["id"]))


async def add_code(session: AsyncSession, code: EnrolmentCode, *, expired_before: datetime) -> bool:
    """Store a new code, unless one with its selector is in use; codes that ended before a time go."""
    await session.exec(delete(EnrolmentCode).where(col(EnrolmentCode.expires_at) < expired_before))
    if await session.get(EnrolmentCode, code.selector) is not None:
        return False
    session.add(code)
    await session.flush()
    return True


async def lock_code(session: AsyncSession, selector: str) -> EnrolmentCode | None:
    """Give a code and hold it to the end of the transaction, so that tries are counted one by one."""
    statement = select(EnrolmentCode).where(col(EnrolmentCode.selector) == selector).with_for_update()
    return (await session.exec(statement)).one_or_none()


async def add_device(session: AsyncSession, device: Device, code: EnrolmentCode) -> None:
    """Store a new device and note whose code it was."""
    session.add(device)
    await session.flush()
    code.used_by = device.id
    session.add(code)
    await session.flush()


async def add_nonce(session: AsyncSession, nonce: DeviceNonce, *, now: datetime, limit: int) -> bool:
    """Store a nonce, unless the device has too many already; expired ones go."""
    mine = col(DeviceNonce.device_id) == nonce.device_id
    await session.exec(delete(DeviceNonce).where(mine, col(DeviceNonce.expires_at) <= now))
    count = (await session.exec(select(func.count()).select_from(DeviceNonce).where(mine))).one()
    if count >= limit:
        return False
    session.add(nonce)
    await session.flush()
    return True


async def take_nonce(session: AsyncSession, device_id: str, nonce: bytes, *, now: datetime) -> bool:
    """Use up a nonce; False when there is none that is still good. Two takers cannot both have it."""
    statement = (
        delete(DeviceNonce)
        .where(col(DeviceNonce.device_id) == device_id, col(DeviceNonce.nonce) == nonce)
        .returning(col(DeviceNonce.expires_at))
    )
    expires_at = (await session.exec(statement)).scalar_one_or_none()
    return expires_at is not None and expires_at > now
