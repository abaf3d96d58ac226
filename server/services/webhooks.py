"""Webhooks of a centre as its managers keep them; `webhook_sender` tells them what happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from server.core.addresses import read_target
from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.core.etags import Expected, etag_of
from server.core.webhook_signatures import WebhookSecrets
from server.models.rooms import Center
from server.models.webhooks import PauseReason, Webhook, WebhookDelivery, WebhookState
from server.repositories import center_events, webhooks
from server.repositories.center_events import UNHEARD_AT_ONCE
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.repositories.webhooks import WEBHOOKS_MAX
from server.services.access import User
from server.services.webhook_messages import KINDS

__all__ = ["Change", "DeliveryPage", "NewWebhook", "Webhook", "WebhookDelivery", "WebhookState", "Webhooks", "etag"]

_log = structlog.get_logger(__name__)
_NONE_SUCH: Final = "There is no such webhook at this centre"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that is made; `id` is the caller's, so that a repeat is harmless."""

    id: str
    url: str
    description: str
    kinds: Sequence[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be otherwise; None: as it is."""

    url: str | None = None
    description: str | None = None
    kinds: Sequence[str] | None = None
    state: WebhookState | None = None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Attempts, the newest first; `before`: the id before which there are more, None at the end."""

    items: Sequence[WebhookDelivery]
    before: str | None


def etag(row: Webhook) -> str:
    """Give the tag of what people can change of a webhook; that it was told something is no other state."""
    return etag_of("webhook", row.id, row.revision)


class Webhooks:
    """Keeps webhooks."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], secrets: WebhookSecrets, *, private: bool
    ) -> None:
        """Write through `units`; `private` lets addresses of one's own network be named."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._secrets = secrets
        self._private = private

    async def of_center(self, center: Center) -> list[Webhook]:
        """Give the webhooks of a centre, the oldest first."""
        async with self._units.begin() as unit:
            return await webhooks.of_center(unit.session, center.id)

    async def find(self, center: Center, webhook_id: str) -> Webhook:
        """Give a webhook. Raises NotFound."""
        async with self._units.begin() as unit:
            row = await webhooks.find(unit.session, center.id, webhook_id)
        if row is None:
            raise NotFound(_NONE_SUCH)
        return row

    async def add(self, center: Center, user: User, new: NewWebhook) -> tuple[Webhook, str | None]:
        """Tell an address from now on what happens, and give the secret, this once.

        The same with the same id a second time changes nothing, and gives None in place of the secret.

        Raises:
            InvalidInput: the address may not be used, or a kind is none.
            Conflict: another webhook has the id, or the centre has too many.

        """
        self._check(new.url, new.kinds)
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            head = await unit.lock_head(center.id)
            standing = await webhooks.find(unit.session, center.id, new.id)
            if standing is not None:
                return _repeated(standing, new), None
            if len(await webhooks.of_center(unit.session, center.id)) >= WEBHOOKS_MAX:
                raise Conflict(f"A centre has at most {WEBHOOKS_MAX} webhooks: remove one")
            await center_events.listen(unit.connection, center.id)
            number = (await center_events.ends(unit.connection, center.id)).number
            row = Webhook(
                center_id=center.id, id=new.id, url=new.url, description=new.description, kinds=_ordered(new.kinds),
                epoch=head.epoch, version=head.version, number=number, not_before=now, created_at=now,
                created_by=user.id or None,
            )  # fmt: skip
            await webhooks.add(unit.session, row)
        _log.info("webhook_added", center=center.id, webhook=row.id)
        return row, self._secrets.secret(row.id, row.secret_number)

    async def change(self, center: Center, user: User, webhook_id: str, wanted: Change, expected: Expected) -> Webhook:
        """Change a webhook; one that is active again goes on where it stopped.

        Raises:
            NotFound: there is no such webhook.
            PreconditionFailed: it is in another state than the asker saw.
            InvalidInput: the address may not be used, or a kind is none.

        """
        self._check(wanted.url, wanted.kinds)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            row = await _locked(unit, center, webhook_id, expected)
            if wanted.url is not None:
                row.url = wanted.url
            if wanted.description is not None:
                row.description = wanted.description
            if wanted.kinds is not None:
                row.kinds = _ordered(wanted.kinds)
            if wanted.state is not None and wanted.state.value != row.state:
                row.state = wanted.state.value
                asked = wanted.state is WebhookState.PAUSED
                row.pause_reason = (PauseReason.ASKED if asked else PauseReason.NONE).value
            self._begin_anew(row)
        return row

    async def remove(self, center: Center, user: User, webhook_id: str, expected: Expected) -> None:
        """Take a webhook away, and with it the log of its deliveries; after the last one nothing waits for any.

        Raises:
            NotFound: there is no such webhook.
            PreconditionFailed: it is in another state than the asker saw.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await webhooks.remove(unit.session, await _locked(unit, center, webhook_id, expected))
        # By itself: a transaction that tells the audit log must not wait for who is about to note an event.
        async with self._units.begin() as unit:
            await center_events.stop_unheard(unit.connection, centers_max=UNHEARD_AT_ONCE)
        _log.info("webhook_removed", center=center.id, webhook=webhook_id)

    async def rotate(self, center: Center, user: User, webhook_id: str, expected: Expected) -> tuple[Webhook, str]:
        """Give a webhook another secret, this once; the one before signs too, for 24 hours.

        Raises:
            NotFound: there is no such webhook.
            PreconditionFailed: it is in another state than the asker saw, as after a rotation.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            row = await _locked(unit, center, webhook_id, expected)
            row.secret_number += 1
            row.rotated_at = self._clock.now()
            self._begin_anew(row)
        return row, self._secrets.secret(row.id, row.secret_number)

    async def ping(self, center: Center, user: User, webhook_id: str) -> Webhook:
        """Let a ping be sent, before anything else; what became of it is in the log of deliveries.

        Raises:
            NotFound: there is no such webhook.
            Conflict: it is paused.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            row = await _locked(unit, center, webhook_id, Expected(None))
            if row.state != WebhookState.ACTIVE.value:
                raise Conflict("This webhook is paused: let it be active first")
            if row.ping_id is None:
                row.ping_id = self._new_id()
                row.not_before = self._clock.now()
        return row

    async def replay(
        self, center: Center, user: User, webhook_id: str, *, from_version: int | None, from_number: int | None
    ) -> Webhook:
        """Tell a webhook again what follows, from a version of the change log on, or a number of a noted event.

        It may as well be ahead of where the webhook stands: then what lies between is left out.

        Raises:
            NotFound: there is no such webhook.
            InvalidInput: neither is named, or one that the centre has not come to yet.

        """
        if from_version is None and from_number is None:
            raise InvalidInput("Say from_version, from_number or both")
        async with self._units.begin(actor=user.id, origin="api") as unit:
            row = await _locked(unit, center, webhook_id, Expected(None))
            ends = await center_events.ends(unit.connection, center.id)
            row.version = _position("from_version", from_version, row.version, ends.version)
            row.number = _position("from_number", from_number, row.number, ends.number)
            row.epoch = ends.epoch
            self._begin_anew(row)
        _log.info("webhook_replays", center=center.id, webhook=row.id, version=row.version, number=row.number)
        return row

    async def deliveries(self, center: Center, webhook_id: str, *, before: str | None, limit: int) -> DeliveryPage:
        """Give a page of the attempts of the last 30 days, the newest first. Raises NotFound."""
        await self.find(center, webhook_id)
        async with self._units.read() as connection:
            rows = await webhooks.deliveries(connection, center.id, webhook_id, before=before, limit=limit + 1)
        return DeliveryPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)

    def _check(self, url: str | None, kinds: Sequence[str] | None) -> None:
        if url is not None:
            try:
                read_target(url, private=self._private)
            except InvalidInput as error:
                raise InvalidInput(error.detail, (FieldProblem("/url", error.detail),)) from None
        if kinds is not None and not (kinds and set(kinds) <= KINDS.keys()):
            detail = "Name kinds of the list, at least one"
            raise InvalidInput(detail, (FieldProblem("/kinds", detail),))

    def _begin_anew(self, row: Webhook) -> None:
        """Try at once, with three days ahead; whoever delivers now writes nothing down for this state any more."""
        row.revision += 1
        row.taking += 1
        row.attempts, row.failing_since, row.last_error = 0, None, ""
        row.not_before = self._clock.now()


async def _locked(unit: UnitOfWork, center: Center, webhook_id: str, expected: Expected) -> Webhook:
    row = await webhooks.lock(unit.session, center.id, webhook_id)
    if row is None:
        raise NotFound(_NONE_SUCH)
    expected.require(etag(row))
    return row


def _repeated(standing: Webhook, new: NewWebhook) -> Webhook:
    told = (standing.url, standing.description, standing.kinds)
    if told != (new.url, new.description, _ordered(new.kinds)):
        raise Conflict("Another webhook has this id")
    return standing


def _ordered(kinds: Sequence[str]) -> list[str]:
    return [kind for kind in KINDS if kind in kinds]


def _position(name: str, wanted: int | None, standing: int, end: int) -> int:
    if wanted is None:
        return standing
    if not 1 <= wanted <= end + 1:
        detail = f"This centre has come to {end}: name 1 to {end + 1}"
        raise InvalidInput(detail, (FieldProblem(f"/{name}", detail),))
    return wanted - 1
