"""The SQL of webhooks: what people keep, taking with a lease, and how far each was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.webhooks import Webhook, WebhookDelivery
from server.repositories.unit_of_work import Connection

WEBHOOKS_MAX: Final = 20  # of one centre: its billing, its messenger, and what else it has, twice


@dataclass(frozen=True, slots=True)
class TakenWebhook:
    """A webhook that is the taker's until its lease ends; `taking` names the taking."""

    center_id: str
    id: str
    url: str
    kinds: frozenset[str]
    secret_number: int
    rotated_at: datetime | None
    epoch: str | None
    version: int
    number: int
    ping_id: str | None
    attempts: int
    failing_since: datetime | None
    taking: int


async def of_center(session: AsyncSession, center_id: str) -> list[Webhook]:
    """Give the webhooks of a centre, the oldest first."""
    statement = select(Webhook).where(col(Webhook.center_id) == center_id)
    return list(await session.exec(statement.order_by(col(Webhook.created_at), col(Webhook.id)).limit(WEBHOOKS_MAX)))


async def find(session: AsyncSession, center_id: str, webhook_id: str) -> Webhook | None:
    """Give a webhook by its id."""
    return await session.get(Webhook, (center_id, webhook_id))


async def lock(session: AsyncSession, center_id: str, webhook_id: str) -> Webhook | None:
    """Give a webhook and hold it to the end of the transaction."""
    return await session.get(Webhook, (center_id, webhook_id), with_for_update=True, populate_existing=True)


async def add(session: AsyncSession, row: Webhook) -> None:
    """Store a new webhook."""
    session.add(row)
    await session.flush()


async def remove(session: AsyncSession, row: Webhook) -> None:
    """Take a webhook away, and with it the log of its deliveries."""
    await session.delete(row)
    await session.flush()


async def deliveries(
    connection: Connection, center_id: str, webhook_id: str, *, before: str | None, limit: int
) -> list[WebhookDelivery]:
    """Give attempts, the newest first, those before the id `before`."""
    parameters = {"center_id": center_id, "webhook_id": webhook_id, "before": before, "limit": limit}
    return [_delivery(row) for row in await connection.execute(_DELIVERIES, parameters)]


async def take_due(connection: Connection, *, now: datetime, lease_end: datetime, limit: int) -> list[TakenWebhook]:
    """Take those that are due and have something to be told of, past those that somebody else is taking."""
    rows = await connection.execute(_TAKE, {"now": now, "lease_end": lease_end, "limit": limit})
    return [
        TakenWebhook(
            center_id=str(row.center_id), id=str(row.id), url=row.url, kinds=frozenset(row.kinds),
            secret_number=row.secret_number, rotated_at=row.rotated_at, epoch=_text(row.epoch), version=row.version,
            number=row.number, ping_id=_text(row.ping_id), attempts=row.attempts, failing_since=row.failing_since,
            taking=row.taking,
        )
        for row in rows
    ]  # fmt: skip


async def note_attempt(connection: Connection, attempt: WebhookDelivery, taking: int) -> bool:
    """Write an attempt down, and count it; gives False when the webhook is not the taker's any more.

    One that was delivered ends a row of failures. The row of the webhook is held from here on.
    """
    found = await connection.execute(
        _COUNT_ATTEMPT,
        {
            "center_id": attempt.center_id, "id": attempt.webhook_id, "taking": taking, "at": attempt.at,
            "is_good": attempt.outcome == "delivered", "reason": attempt.reason,
        },
    )  # fmt: skip
    if not found.rowcount:
        return False
    values = {name: getattr(attempt, name) for name in WebhookDelivery.model_fields}
    await connection.execute(_ADD_DELIVERY, values)
    return True


async def move_on(
    connection: Connection, webhook: TakenWebhook, *, epoch: str | None, version: int, number: int
) -> bool:
    """Say how far a webhook was told; False, and nothing moves, when somebody changed that meanwhile."""
    parameters = {
        **_taken(webhook), "epoch": epoch, "version": version, "number": number,
        "old_version": webhook.version, "old_number": webhook.number,
    }  # fmt: skip
    return bool((await connection.execute(_MOVE_ON, parameters)).rowcount)


async def ping_sent(connection: Connection, webhook: TakenWebhook) -> None:
    """Let a ping wait no more, unless another one was wanted since."""
    await connection.execute(_PING_SENT, {**_taken(webhook), "ping_id": webhook.ping_id})


async def let_go(connection: Connection, webhook: TakenWebhook, *, not_before: datetime) -> None:
    """Look at a webhook again from a moment on, unless it was taken or changed since."""
    await connection.execute(_LET_GO, {**_taken(webhook), "not_before": not_before})


async def pause(connection: Connection, webhook: TakenWebhook, reason: str) -> bool:
    """Pause a webhook that is the taker's; gives whether it was."""
    return bool((await connection.execute(_PAUSE, {**_taken(webhook), "reason": reason})).rowcount)


async def forget_deliveries(connection: Connection, *, before: datetime, rows_max: int) -> int:
    """Take away attempts from before a moment; gives how many, `rows_max` at most."""
    return (await connection.execute(_FORGET, {"before": before, "rows_max": rows_max})).rowcount


def _taken(webhook: TakenWebhook) -> dict[str, Any]:
    return {"center_id": webhook.center_id, "id": webhook.id, "taking": webhook.taking}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _delivery(row: Row[Any]) -> WebhookDelivery:
    values = {name: getattr(row, name) for name in WebhookDelivery.model_fields}
    return WebhookDelivery(**{**values, **{name: str(values[name]) for name in ("center_id", "id", "webhook_id")}})


_COLUMNS: Final[Sequence[str]] = tuple(WebhookDelivery.model_fields)
_DELIVERIES: Final = text(f"""
    SELECT {", ".join(_COLUMNS)} FROM webhook_delivery
    WHERE center_id = :center_id AND webhook_id = :webhook_id
      AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
    ORDER BY id DESC LIMIT :limit
""")
_ADD_DELIVERY: Final = text(f"""
    INSERT INTO webhook_delivery ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
""")
_TAKE: Final = text("""
    WITH due AS (
        SELECT webhook.center_id, webhook.id FROM webhook
        LEFT JOIN center_head AS head ON head.center_id = webhook.center_id
        LEFT JOIN center_event_head AS feed ON feed.center_id = webhook.center_id
        WHERE webhook.state = 'active' AND webhook.not_before <= :now
          AND (webhook.ping_id IS NOT NULL OR head.version > webhook.version OR feed.number > webhook.number
               OR head.epoch IS DISTINCT FROM webhook.epoch)
        ORDER BY webhook.not_before, webhook.id LIMIT :limit FOR UPDATE OF webhook SKIP LOCKED
    )
    UPDATE webhook SET not_before = :lease_end, taking = webhook.taking + 1
    FROM due WHERE webhook.center_id = due.center_id AND webhook.id = due.id
    RETURNING webhook.*
""")
_OURS: Final = "center_id = :center_id AND id = :id AND taking = :taking AND state = 'active'"
_COUNT_ATTEMPT: Final = text(f"""
    UPDATE webhook SET
        attempts = CASE WHEN CAST(:is_good AS boolean) THEN 0 ELSE attempts + 1 END,
        failing_since = CASE WHEN CAST(:is_good AS boolean) THEN NULL
                             ELSE coalesce(failing_since, CAST(:at AS timestamptz)) END,
        delivered_at = CASE WHEN CAST(:is_good AS boolean) THEN CAST(:at AS timestamptz) ELSE delivered_at END,
        last_error = CASE WHEN CAST(:is_good AS boolean) THEN '' ELSE :reason END
    WHERE {_OURS}
""")
_MOVE_ON: Final = text(f"""
    UPDATE webhook SET epoch = :epoch, version = :version, number = :number
    WHERE {_OURS} AND version = :old_version AND number = :old_number
""")
_PING_SENT: Final = text(f"UPDATE webhook SET ping_id = NULL WHERE {_OURS} AND ping_id = :ping_id")
_LET_GO: Final = text(f"UPDATE webhook SET not_before = :not_before WHERE {_OURS}")
_PAUSE: Final = text(f"""
    UPDATE webhook SET state = 'paused', pause_reason = :reason, revision = revision + 1 WHERE {_OURS}
""")
_FORGET: Final = text("""
    DELETE FROM webhook_delivery WHERE (center_id, id) IN (
        SELECT center_id, id FROM webhook_delivery WHERE at < :before ORDER BY at LIMIT :rows_max
    )
""")
