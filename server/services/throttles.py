"""How often somebody may try: limits that all server processes count together, in PostgreSQL."""

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Quota, RateLimited
from server.core.tokens import derive_key
from server.repositories import throttles
from server.repositories.unit_of_work import UnitsOfWork

KEY_BYTES: Final = 16
FORGET_ROWS: Final = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` tries at once, and one more every `step_s` seconds."""

    name: str
    burst: int
    step_s: int

    @property
    def window_s(self) -> int:
        """Give after how many seconds of peace all tries are there again."""
        return self.burst * self.step_s


# A whole centre may stand behind one address, and log in on one morning.
LOG_IN_ADDRESS: Final = Limit("log_in_address", 100, 3)
# A person mistypes; who guesses gets two tries a minute.
LOG_IN_PERSON: Final = Limit("log_in_person", 10, 30)
# From everywhere together: NIST SP 800-63B-4 section 3.2.2 allows 100 failures in a row. Soft: what was taken comes
# back by itself, one each 36 s (100 an hour): nobody can lock somebody else out for longer than a guesser works.
LOG_IN_ACCOUNT: Final = Limit("log_in_account", 100, 36)
REFRESH_ADDRESS: Final = Limit("refresh_address", 300, 1)
REFRESH_SESSION: Final = Limit("refresh_session", 30, 10)
RECOVERY_ADDRESS: Final = Limit("recovery_address", 20, 60)
# Each try is a mail with which the owner can set a password, so who uses them up for others helps them.
RECOVERY_ACCOUNT: Final = Limit("recovery_account", 3, 600)
MAILED_TOKEN_ADDRESS: Final = Limit("mailed_token_address", 30, 10)
INVITATIONS: Final = Limit("invitations", 50, 60)
PASSWORD_CHANGE: Final = Limit("password_change", 10, 60)
# All of the API, for one account: a day's records of a large centre at once, and 3,600 requests an hour for ever.
API_ACCOUNT: Final = Limit("api_account", 3_000, 1)
# Addresses of calendars that there are not, or not any more: many programs go on asking for a while.
CALENDAR_ADDRESS: Final = Limit("calendar_address", 100, 10)
# A code is read from a screen and typed; a guess is right once in 640 million times.
DESK_CODE: Final = Limit("desk_code", 10, 30)
PASSWORD_AGAIN: Final = Limit("password_again", 10, 60)
# Five a day: each is minutes of work, and a file of everything.
EXPORTS: Final = Limit("exports", 5, 17_280)
# Who runs a centre answers many families: twenty a day.
CHILD_EXPORTS: Final = Limit("child_exports", 20, 4_320)

# What of failures is written into one chain of the audit log: each is a row for ever, 120 an hour at most. People at a
# centre mistype less often, and of a crowd that guesses the first hundred tell enough.
LOG_IN_FAILURES_TOLD: Final = Limit("log_in_failures_told", 100, 30)
# Nothing more is told of a door that stays shut.
LOCK_OUTS_TOLD: Final = Limit("lock_outs_told", 1, 3_600)


class Throttles:
    """Counts tries."""

    def __init__(self, units: UnitsOfWork, clock: Clock, secret_key: str) -> None:
        """Whom a limit counts is kept as a keyed hash: addresses are personal data."""
        self._units = units
        self._clock = clock
        self._key = derive_key(secret_key, "throttle")

    async def take(self, *wanted: tuple[Limit, str]) -> None:
        """Count one try under each limit, for somebody each, in order, up to the first that is full.

        Ask for addresses before accounts everywhere: no two askers then wait for each other in a circle.

        Raises:
            RateLimited: it is too many; says after how many seconds the next one is let by.

        """
        now = self._clock.now()
        refused: RateLimited | None = None
        async with self._units.begin() as unit:
            for limit, whom in wanted:
                step, window = timedelta(seconds=limit.step_s), timedelta(seconds=limit.window_s)
                key = self._key_of(limit, whom)
                full_at = await throttles.take(unit.connection, key, now=now, step=step, window=window)
                if full_at is not None:
                    refused = _refusal(limit, (full_at - now).total_seconds())
                    break
        # Raised only now: what was counted is counted.
        if refused is not None:
            _log.info("try_refused", limit=refused.quota.name if refused.quota else "", wait_s=refused.retry_after_s)
            raise refused

    async def take_some(self, limit: Limit, whom: str, tries_max: int) -> tuple[int, int]:
        """Count up to so many tries at once, or a single one; gives how many, and how many are left then.

        Raises:
            RateLimited: not even one is let by.

        """
        now, key = self._clock.now(), self._key_of(limit, whom)
        step, window = timedelta(seconds=limit.step_s), timedelta(seconds=limit.window_s)
        async with self._units.begin() as unit:
            taken = await throttles.take_some(unit.connection, key, now=now, step=tries_max * step, window=window)
            tries = tries_max
            if not taken.is_let_by and tries_max > 1:
                taken, tries = await throttles.take_some(unit.connection, key, now=now, step=step, window=window), 1
        if taken.is_let_by:
            return tries, max(0, (now + window - taken.full_at) // step)
        refused = _refusal(limit, (taken.full_at - now).total_seconds())
        _log.info("try_refused", limit=limit.name, wait_s=refused.retry_after_s)
        raise refused

    async def leaves_room(self, limit: Limit, whom: str) -> bool:
        """Count one of what happens only so often; False when it was often enough, and nobody is refused anything."""
        step, window = timedelta(seconds=limit.step_s), timedelta(seconds=limit.window_s)
        async with self._units.begin() as unit:
            key, now = self._key_of(limit, whom), self._clock.now()
            return await throttles.take(unit.connection, key, now=now, step=step, window=window) is None

    async def give_back(self, *taken: tuple[Limit, str]) -> None:
        """Undo the count of one try under each limit: it was no guess."""
        async with self._units.begin() as unit:
            for limit, whom in taken:
                step = timedelta(seconds=limit.step_s)
                await throttles.give_back(unit.connection, self._key_of(limit, whom), step=step)

    def _key_of(self, limit: Limit, whom: str) -> bytes:
        return hmac.digest(self._key, f"{limit.name}\0{whom}".encode("utf-8", "surrogatepass"), hashlib.sha256)[
            :KEY_BYTES
        ]


def _refusal(limit: Limit, full_for_s: float) -> RateLimited:
    """Say when the next try is let by: when what is taken leaves room for one step."""
    wait_s = math.ceil(full_for_s + limit.step_s - limit.window_s)
    retry_after_s = min(max(1, wait_s), limit.step_s)
    return RateLimited(retry_after_s=retry_after_s, quota=Quota(limit.name, limit.burst, limit.window_s))
