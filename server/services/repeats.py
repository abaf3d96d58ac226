"""Requests that may be sent again: under one key a thing is done once, and answered the same each time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.core.clock import Clock
from server.core.errors import Conflict, InvalidInput, Quota, RateLimited
from server.core.request_seals import Answer, RequestSeals, Sealed
from server.repositories import request_keys
from server.repositories.held_commit import HeldCommit, holding
from server.repositories.request_keys import Standing, Wanted
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User

__all__ = ["Answer", "Claim", "HeldCommit", "KeyReused", "Repeats", "Request", "StillRunning", "holding"]

KEPT: Final = timedelta(hours=24)
# Longer than the database lets a request take (`core/database.py`: statements and locks time out long before).
CLAIM: Final = timedelta(seconds=60)
# For each account: a day's work of an integrator, one key for each child and day of the largest centre, twice.
KEYS_MAX: Final = 2_000
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
FORGET_ROWS: Final = 5_000


class StillRunning(Conflict):
    """The first request with this key is still being served."""

    code = "request_in_flight"
    title = "The first request with this Idempotency-Key is not answered yet; send it again a little later"

    def __init__(self, retry_after_s: int = 1) -> None:
        """Keep after how many seconds another try makes sense."""
        super().__init__()
        self.retry_after_s = retry_after_s


class KeyReused(InvalidInput):
    """Something else was sent with this key before."""

    code = "idempotency_key_reused"
    title = "Something else was sent with this Idempotency-Key before: take another key"


@dataclass(frozen=True, slots=True)
class Request:
    """A request under a key: method and pattern of its route, and all that was sent (address, kind of body, body)."""

    key: str
    route: str
    sent: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to serve a request once."""

    wanted: Wanted
    sealed: Sealed


class Repeats:
    """Keeps what was answered."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], seals: RequestSeals) -> None:
        """Store through `units`."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._seals = seals

    async def claim(self, user: User, request: Request) -> Claim | Answer:
        """Give the right to serve a request, or what was answered to it before.

        A key is an account's own, at one route, with the roles it has: whoever lost one gets no answer of before.

        Raises:
            KeyReused: something else was sent with this key.
            StillRunning: the first one with it is being served.
            RateLimited: more is kept for the account than is good.

        """
        now = self._clock.now()
        roles = sorted(f"{grant.role.name} {grant.center_id}" for grant in user.grants)
        sealed = self._seals.of((user.id, request.route, *roles), request.key, request.sent)
        wanted = Wanted(
            user_id=user.id,
            key_digest=sealed.key_digest,
            request_digest=sealed.request_digest,
            claim_id=self._new_id(),
            claimed_until=now + CLAIM,
            forget_at=now + KEPT,
        )
        async with self._units.begin() as unit:
            standing = await request_keys.claim(unit.connection, wanted, now=now)
            if standing is None:
                self._refuse_too_many(await request_keys.kept(unit.connection, user.id, now=now))
                return Claim(wanted, sealed)
        return self._answered(standing, sealed)

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer, in the transaction that made it if that is held back.

        Raises:
            StillRunning: it took so long that somebody else serves it now; what was held back is undone.

        """
        data = self._seals.seal(claim.sealed, answer)
        async with self._units.last() as connection:
            if not await request_keys.store_answer(connection, claim.wanted, data):
                raise StillRunning

    async def give_back(self, claim: Claim) -> None:
        """Let the request be sent anew: it was refused, and did nothing."""
        async with self._units.last() as connection:
            await request_keys.give_back(connection, claim.wanted)

    def _answered(self, standing: Standing, sealed: Sealed) -> Answer:
        if standing.request_digest != sealed.request_digest:
            raise KeyReused
        if standing.answer is None:
            waits_s = (standing.claimed_until - self._clock.now()).total_seconds()
            raise StillRunning(max(1, min(math.ceil(waits_s), 5)))
        return self._seals.open(sealed, standing.answer)

    def _refuse_too_many(self, kept: request_keys.Kept) -> None:
        if kept.keys <= KEYS_MAX and kept.answer_bytes <= ANSWER_BYTES_MAX:
            return
        first = kept.first_forgotten_at or self._clock.now()
        wait_s = max(1, math.ceil((first - self._clock.now()).total_seconds()))
        quota = Quota("idempotency_keys", KEYS_MAX, int(KEPT.total_seconds()))
        raise RateLimited("Too many keys in a day; send this without one, or wait", retry_after_s=wait_s, quota=quota)
