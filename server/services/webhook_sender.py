"""Delivery of webhooks: at least once, in order, one message at a time for each, never within a transaction.

There is no queue: a webhook has a position in the change log of its centre and one in the noted events, and what
follows is read from there. So nothing is lost over a restart, whoever wrote it needs to know of no webhook, and to
replay is to move the position back. The log comes first, then the noted events; each in its own order.

A webhook is taken by moving ahead the time at which it is due (its lease). One that hangs holds up itself: others are
taken meanwhile. A message that is refused is tried again until it is taken; what follows it waits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from server.core.asking import Asking, asks, within
from server.core.clock import Clock
from server.core.outgoing import DEADLINE_S, Answered
from server.core.webhook_signatures import WebhookSecrets, signed_headers
from server.models.webhooks import DeliveryOutcome, PauseReason, WebhookDelivery
from server.repositories import center_events, centers, webhooks
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.repositories.webhooks import TakenWebhook
from server.services import webhook_messages
from server.services.mail_sender import backoff_s
from server.services.notifications import Notifications
from server.services.webhook_messages import Message

AT_ONCE_MAX: Final = 8  # webhooks; each holds a connection of the pool for moments only
LOOK_AGAIN_S: Final = 1.0
PAGE_ROWS: Final = 100
# So long a run takes further webhooks, and one webhook further messages.
RUN_MS: Final = 30_000
SERVE_MS: Final = 30_000
# A webhook that takes as long as it may, the last message included, and a minute for the database and other clocks.
LEASE: Final = timedelta(milliseconds=SERVE_MS, seconds=DEADLINE_S + 60)
RUN_DEADLINE_S: Final = RUN_MS / 1000 + LEASE.total_seconds()
PAUSE_AFTER: Final = timedelta(days=3)
ROTATION: Final = timedelta(hours=24)
"""How long the secret before the last rotation signs too."""
KEPT: Final = timedelta(days=30)
FORGET_ROWS: Final = 5_000
GONE: Final = 410
GOOD: Final = range(200, 300)

_log = structlog.get_logger(__name__)


class Poster(Protocol):
    """Whatever sends a body to an address; see `core.outgoing`."""

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Send, and give what came of it."""
        ...


@dataclass(frozen=True, slots=True)
class SignedPost:
    """Signs messages and posts them."""

    poster: Poster
    secrets: WebhookSecrets

    async def send(self, webhook: TakenWebhook, message: Message, now: datetime) -> Answered:
        """Send a message, signed with the secret of the webhook, and during a rotation also with the one before."""
        numbers = [webhook.secret_number]
        if webhook.rotated_at is not None and now - webhook.rotated_at < ROTATION:
            numbers.append(webhook.secret_number - 1)
        secrets = [self.secrets.secret(webhook.id, number) for number in numbers]
        headers = signed_headers(secrets, message.id, int(now.timestamp()), message.body)
        more = {"content-type": "application/json", "user-agent": "Rollcall-Webhooks/1"}
        return await self.poster.post(webhook.url, message.body, {**headers, **more})


@dataclass(frozen=True, slots=True)
class Told:
    """What a run did: messages that were taken, attempts that failed, and webhooks that were paused for it."""

    delivered: int = 0
    failed: int = 0
    paused: int = 0

    def __add__(self, other: "Told") -> "Told":
        return Told(self.delivered + other.delivered, self.failed + other.failed, self.paused + other.paused)


@dataclass(frozen=True, slots=True)
class _Page:
    """What a webhook is to be told next, and where it stands then."""

    messages: list[Message]
    epoch: str | None
    version: int
    number: int


class WebhookSender:
    """Tells webhooks what happened. Its methods are jobs, and each may be run by hand."""

    def __init__(
        self,
        units: UnitsOfWork,
        post: SignedPost,
        notifications: Notifications,
        clock: Clock,
        *,
        luck: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:  # fmt: skip
        """Send by `post`; `luck` gives numbers in [0, 1), `new_id` ids that grow."""
        self._units = units
        self._post = post
        self._notifications = notifications
        self._clock = clock
        self._luck = luck
        self._new_id = new_id

    async def run(self) -> Told:
        """Tell every webhook that is due what it has not been told, until none is or half a minute is over.

        Raises:
            DatabaseUnavailable: what was taken and not written down goes out again when its lease ends.

        """
        done, end_ms = Told(), self._clock.monotonic_ms() + RUN_MS
        serving: set[asyncio.Task[Told]] = set()
        try:
            while True:
                if len(serving) < AT_ONCE_MAX and self._clock.monotonic_ms() < end_ms:
                    taken = await self._take(AT_ONCE_MAX - len(serving))
                    serving |= {asyncio.create_task(self._serve(one), name=f"webhook {one.id}") for one in taken}
                if not serving:
                    return done
                ended, serving = await asyncio.wait(serving, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    done += task.result()
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def forget_old(self) -> int:
        """Take away attempts and noted events of more than 30 days ago, some thousands at a time; gives how many.

        Where nobody is left who would be told, as after guardians chose nothing any more, noting ends.
        """
        before = self._clock.now() - KEPT
        async with self._units.begin() as unit:
            await center_events.stop_unheard(unit.connection, centers_max=center_events.UNHEARD_AT_ONCE)
        async with self._units.begin(origin="webhooks") as unit:
            tried = await webhooks.forget_deliveries(unit.connection, before=before, rows_max=FORGET_ROWS)
            return tried + await center_events.forget(unit.connection, before=before, rows_max=FORGET_ROWS)

    async def _take(self, limit: int) -> list[TakenWebhook]:
        now = self._clock.now()
        async with self._units.begin(origin="webhooks") as unit:
            return await webhooks.take_due(unit.connection, now=now, lease_end=now + LEASE, limit=limit)

    async def _serve(self, webhook: TakenWebhook) -> Told:
        """Tell one webhook page by page, within the reach of its centre; then let it go."""
        done, end_ms = Told(), self._clock.monotonic_ms() + SERVE_MS
        with asks(Asking(within([webhook.center_id]))):
            while self._clock.monotonic_ms() < end_ms:
                page = await self._page(webhook)
                told, after = await self._tell_page(webhook, page, end_ms)
                done += told
                if after is None:
                    return done
                is_current = after.version == page.version and after.number == page.number and not page.messages
                webhook = after
                if is_current:
                    break
            await self._let_go(webhook, self._clock.now())
        return done

    async def _page(self, webhook: TakenWebhook) -> _Page:
        center_id = webhook.center_id
        async with self._units.read() as connection:
            ends = await center_events.ends(connection, center_id)
            # A restored server: its log went on from the backup, as this position did.
            begin, number = min(webhook.version, ends.version), min(webhook.number, ends.number)
            changes = await center_events.logged_after(
                connection, center_id, version=begin, entities=webhook_messages.ENTITIES, limit=PAGE_ROWS
            )
            events = await center_events.noted_after(connection, center_id, number=number, limit=PAGE_ROWS)
        found = [webhook_messages.of_change(center_id, ends.epoch or "", one) for one in changes]
        found += [webhook_messages.of_event(center_id, one) for one in events]
        messages = [one for one in found if one is not None and one.kind in webhook.kinds]
        if webhook.ping_id:
            messages.insert(0, webhook_messages.ping(webhook.ping_id, center_id, self._clock.wall_ms()))
        version = changes[-1].version if len(changes) == PAGE_ROWS else ends.version
        return _Page(messages, ends.epoch, version, events[-1].number if len(events) == PAGE_ROWS else ends.number)

    async def _tell_page(self, webhook: TakenWebhook, page: _Page, end_ms: int) -> tuple[Told, TakenWebhook | None]:
        """Send one after the other; gives where the webhook stands then, None when it is not ours any more."""
        done = Told()
        here = replace(webhook, version=min(webhook.version, page.version), number=min(webhook.number, page.number))
        for message in page.messages:
            if self._clock.monotonic_ms() >= end_ms:
                return done, webhook
            begun_ms = self._clock.monotonic_ms()
            answered = await self._post.send(webhook, message, self._clock.now())
            attempt = self._attempt(webhook, message, answered, begun_ms)
            if attempt.outcome != DeliveryOutcome.DELIVERED.value:
                return done + await self._failed(webhook, attempt), None
            here = replace(here, version=message.version or here.version, number=message.number or here.number)
            webhook_then = await self._delivered(webhook, attempt, page.epoch, here)
            done += Told(delivered=1)
            if webhook_then is None:
                return done, None
            webhook = webhook_then
        async with self._units.begin(origin="webhooks") as unit:
            return done, await _move(unit, webhook, page.epoch, replace(here, version=page.version, number=page.number))

    def _attempt(self, webhook: TakenWebhook, message: Message, answered: Answered, begun_ms: int) -> WebhookDelivery:
        is_good = answered.status in GOOD
        return WebhookDelivery(
            center_id=webhook.center_id, id=self._new_id(), webhook_id=webhook.id, message_id=message.id,
            kind=message.kind, version=message.version, number=message.number, attempt=webhook.attempts + 1,
            at=self._clock.now(), took_ms=self._clock.monotonic_ms() - begun_ms, status=answered.status,
            outcome=(DeliveryOutcome.DELIVERED if is_good else DeliveryOutcome.FAILED).value,
            reason="" if is_good else answered.reason or f"answered {answered.status}",
        )  # fmt: skip

    async def _delivered(
        self, webhook: TakenWebhook, attempt: WebhookDelivery, epoch: str | None, here: TakenWebhook
    ) -> TakenWebhook | None:
        """Write down in one transaction that a message was taken, and where the webhook stands now."""
        async with self._units.begin(origin="webhooks") as unit:
            if not await webhooks.note_attempt(unit.connection, attempt, webhook.taking):
                return None
            if attempt.kind == webhook_messages.PING:
                await webhooks.ping_sent(unit.connection, webhook)
            moved = await _move(unit, webhook, epoch, here)
            return None if moved is None else replace(moved, attempts=0, failing_since=None, ping_id=None)

    async def _failed(self, webhook: TakenWebhook, attempt: WebhookDelivery) -> Told:
        """Try again later; after three days, or when the receiver says that it is gone, pause and tell the managers."""
        since = webhook.failing_since or attempt.at
        reason = PauseReason.GONE if attempt.status == GONE else PauseReason.FAILING
        is_over = reason is PauseReason.GONE or attempt.at - since >= PAUSE_AFTER
        wait = timedelta(seconds=backoff_s(attempts=attempt.attempt, luck=self._luck()))
        async with self._units.begin(origin="webhooks") as unit:
            if not await webhooks.note_attempt(unit.connection, attempt, webhook.taking):
                return Told(failed=1)
            if not is_over:
                await webhooks.let_go(unit.connection, webhook, not_before=attempt.at + wait)
            elif await webhooks.pause(unit.connection, webhook, reason.value):
                await self._tell_managers(unit, webhook, reason, attempt)
        _log.warning(
            "webhook_not_delivered", webhook=webhook.id, attempt=attempt.attempt, reason=attempt.reason, paused=is_over
        )
        return Told(failed=1, paused=int(is_over))

    async def _tell_managers(
        self, unit: UnitOfWork, webhook: TakenWebhook, reason: PauseReason, attempt: WebhookDelivery
    ) -> None:
        center = await centers.find(unit.session, webhook.center_id)
        if center is not None:
            await self._notifications.tell_webhook_paused(unit, center, webhook.url, reason, attempt.id)

    async def _let_go(self, webhook: TakenWebhook, at: datetime) -> None:
        async with self._units.begin(origin="webhooks") as unit:
            await webhooks.let_go(unit.connection, webhook, not_before=at)


async def _move(unit: UnitOfWork, webhook: TakenWebhook, epoch: str | None, to: TakenWebhook) -> TakenWebhook | None:
    """Move a webhook on; None when somebody moved it elsewhere meanwhile (a replay)."""
    if (webhook.epoch, webhook.version, webhook.number) == (epoch, to.version, to.number):
        return webhook
    if not await webhooks.move_on(unit.connection, webhook, epoch=epoch, version=to.version, number=to.number):
        return None
    return replace(webhook, epoch=epoch, version=to.version, number=to.number)
