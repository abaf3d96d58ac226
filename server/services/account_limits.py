"""How much an account may ask of the API: counted in PostgreSQL by all servers together, and seldom asked there.

A server takes tries from the limit by the dozen and lets requests by from what it took, so that a request far from the
limit costs no statement. What was taken counts as used: servers together never let more by than the limit, and an
account may get fewer, by what lies unused at each server, and by what a server that died had taken.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from server.core.clock import Clock
from server.services.throttles import API_ACCOUNT, Limit, Throttles

# One statement for so many requests. With 60 servers all of them hold a whole limit's tries, and none is near that.
LEASE_TRIES: Final = 50
# Nearer to the limit a server takes this part of what is left, and at the end one by one: little lies unused.
LEASE_PART: Final = 10
LEASE_MS: Final = 60_000
ACCOUNTS_MAX: Final = 10_000
"""Accounts that are remembered; of others what was taken is lost, and taken anew (2 MB)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a limit for somebody, as far as this server knows."""

    limit: Limit
    tries: int


@dataclass(slots=True)
class _Lease:
    """Tries that this server took for an account; `beyond` were left when it did."""

    tries: int = 0
    beyond: int = API_ACCOUNT.burst
    until_ms: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def use(self, now_ms: int) -> bool:
        """Use one up; False when there is none that is still good."""
        if not self.tries or now_ms >= self.until_ms:
            return False
        self.tries -= 1
        return True


class AccountLimits:
    """Counts the requests of accounts."""

    def __init__(self, throttles: Throttles, clock: Clock) -> None:
        """Take from `throttles`."""
        self._throttles = throttles
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    async def take(self, user_id: str) -> Left:
        """Count a request of an account.

        Raises:
            RateLimited: it is too many; says after how many seconds the next one is let by.

        """
        lease = self._lease_of(user_id)
        if not lease.use(self._clock.monotonic_ms()):
            # Many at once take together what the first of them takes.
            async with lease.turn:
                while not lease.use(self._clock.monotonic_ms()):
                    await self._renew(lease, user_id)
        return Left(API_ACCOUNT, lease.beyond + lease.tries)

    async def _renew(self, lease: _Lease, user_id: str) -> None:
        wanted, lease.beyond = wanted_tries(lease.beyond), 0  # none are left if this is refused
        lease.tries, lease.beyond = await self._throttles.take_some(API_ACCOUNT, user_id, wanted)
        lease.until_ms = self._clock.monotonic_ms() + LEASE_MS

    def _lease_of(self, user_id: str) -> _Lease:
        lease = self._leases.get(user_id)
        if lease is None:
            if len(self._leases) >= ACCOUNTS_MAX:
                self._leases.pop(next(iter(self._leases)))
            lease = self._leases[user_id] = _Lease()
        return lease


def wanted_tries(left: int) -> int:
    """How many tries to take at once when so many are left."""
    return max(1, min(LEASE_TRIES, left // LEASE_PART))
