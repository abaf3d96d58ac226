"""What the audit log tells of log-ins: who came in and went out, who did not, and whose password was set.

A failure is told in a transaction of its own, since what it belongs to is undone, and at the same cost whether there is
such an account or not: one chain, as many statements, under one more limit. What was typed is in no entry; an address
without an account is told by a keyed digest, in the form of an id, so that tries at one address can be seen together.
"""

import hashlib
import hmac
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from server.core.asking import CHANGED, EVERYWHERE, LOCKED_OUT, SIGN_IN_FAILED, Act, Asking, asking_now, asks
from server.core.tokens import derive_key
from server.models.accounts import Membership, UserAccount
from server.repositories import accounts, audit
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.throttles import LOCK_OUTS_TOLD, LOG_IN_FAILURES_TOLD, Limit, Throttles

SOMEBODY: Final = "somebody"
"""The actor where nobody knows who it was."""

ACCOUNT: Final = "user_account"
UNKNOWN_ACCOUNT: Final = "unknown_account"
_UUID_BYTES: Final = 16


def chain_of(account: UserAccount, memberships: Iterable[Membership]) -> str:
    """Give where log-ins of an account are told: at the centre that has all its roles, or else in its organisation."""
    centers = {one.center_id for one in memberships}
    (only, *more) = centers or {None}
    return account.organisation_id if more or only is None else only


async def note_log_in(unit: UnitOfWork, account: UserAccount, act: Act, *, asking: Asking | None = None) -> None:
    """Tell, in the caller's transaction, what became of a log-in or a password of an account.

    Without `asking` it was whoever asks, or its owner where nobody is known.
    """
    chain_id = chain_of(account, await accounts.memberships(unit.session, account.id))
    now = asking_now()
    await unit.reach_also(chain_id)
    unit.note(chain_id, asking or replace(now, actor=now.actor or account.id), act)


class LogInNotes:
    """Tells what failed."""

    def __init__(self, units: UnitsOfWork, throttles: Throttles, secret_key: str) -> None:
        """Tell no more than `throttles` lets by; digests are made with a key from `secret_key`."""
        self._units = units
        self._throttles = throttles
        self._key = derive_key(secret_key, "log-in-notes")

    async def failed(self, address: str, account: UserAccount | None, part: str = "") -> None:
        """Tell that somebody did not know the password of an address, which may have no account."""
        await self._tell(address, account, Act(SIGN_IN_FAILED, "", "", part), LOG_IN_FAILURES_TOLD)

    async def locked_out(self, address: str, part: str) -> None:
        """Tell that no more tries are let by for an address for a while, once an hour."""
        if await self._throttles.leaves_room(LOCK_OUTS_TOLD, address):
            async with self._units.begin() as unit:
                account = await accounts.find_by_email(unit.session, address)
            await self._tell(address, account, Act(LOCKED_OUT, "", "", part), LOG_IN_FAILURES_TOLD)

    async def _tell(self, address: str, account: UserAccount | None, act: Act, limit: Limit) -> None:
        with asks(_as_somebody(asking_now())):
            async with self._units.begin() as unit:
                if account is not None:
                    chain_id = chain_of(account, await accounts.memberships(unit.session, account.id))
                    told = replace(act, entity=ACCOUNT, entity_id=account.id)
                else:
                    chain_id = await audit.chain_of_nobody(unit.connection)
                    told = replace(act, entity=UNKNOWN_ACCOUNT, entity_id=self._digest(address))
            if await self._throttles.leaves_room(limit, chain_id):
                async with self._units.begin() as unit:
                    unit.note(chain_id, asking_now(), told)

    def _digest(self, address: str) -> str:
        found = hmac.digest(self._key, address.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return str(uuid.UUID(bytes=found[:_UUID_BYTES], version=5))


def password_set(account: UserAccount) -> Act:
    """Give what is told when the password of an account was set."""
    return Act(CHANGED, ACCOUNT, account.id, "password")


def _as_somebody(asking: Asking) -> Asking:
    """Whoever fails at a door may write into any chain, and reads none."""
    return replace(asking, reach=EVERYWHERE, actor=asking.actor or SOMEBODY)
