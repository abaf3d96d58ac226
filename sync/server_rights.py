"""How long a device may use a link, and how it proves itself again without a new one."""

from enum import Enum

from sync import effects as do
from sync.effects import ServerEffect
from sync.errors import CloseCode, ProtocolViolation, demand, require
from sync.limits import REAUTH_BEFORE_MS
from sync.messages import Challenge

Effects = tuple[ServerEffect, ...]


class Proving(Enum):
    """Where a proof stands."""

    NOT_ASKED = "not_asked"
    MAKING_NONCE = "making_nonce"
    AWAITING_PROOF = "awaiting_proof"
    CHECKING = "checking"


class ServerRights:
    """Owned by one `ServerSession`: knows until when the device is trusted, and what it was asked to sign.

    Until `trust_for` was called no end is known, and nothing is asked. `is_lost`: the device is known to be revoked,
    and is here because it gets nothing.
    """

    def __init__(self) -> None:
        self.is_lost = False
        self.state = Proving.NOT_ASKED
        self._until_ms: int | None = None
        self._challenge_at_ms = 0
        self._nonce = b""

    def trust_for(self, good_for_ms: int, now_ms: int) -> None:
        """Trust the device for so long from now."""
        self._until_ms = now_ms + good_for_ms
        # A token that lives shorter than usual is proved anew in the middle of its life, not all the time.
        self._challenge_at_ms = self._until_ms - min(REAUTH_BEFORE_MS, good_for_ms // 2)

    def deadline_ms(self, *, may_challenge: bool) -> int | None:
        """When to look again; None when no end is known."""
        if self._until_ms is None:
            return None
        may_ask = may_challenge and self.state is Proving.NOT_ASKED
        return self._challenge_at_ms if may_ask else self._until_ms

    def timer_fired(self, now_ms: int, *, may_challenge: bool) -> Effects:
        """Ask for a nonce when it is time.

        Raises:
            ProtocolViolation: the time is over.

        """
        if self._until_ms is not None and now_ms >= self._until_ms:
            raise ProtocolViolation("the access token ran out", CloseCode.UNAUTHENTICATED)
        deadline_ms = self.deadline_ms(may_challenge=may_challenge)
        if deadline_ms is None or now_ms < deadline_ms:
            return ()
        self.state = Proving.MAKING_NONCE
        return (do.IssueChallenge(),)

    def challenge(self, nonce: bytes) -> Challenge:
        """The nonce is there; it is good once."""
        require(self.state is Proving.MAKING_NONCE, "a nonce that nobody asked for")
        self.state, self._nonce = Proving.AWAITING_PROOF, nonce
        return Challenge(nonce)

    def answered(self, nonce: bytes, signature: bytes) -> Effects:
        """The device signed a nonce: it must be the one it was asked to sign."""
        demand(self.state is Proving.AWAITING_PROOF and nonce == self._nonce, "a proof that was not asked for")
        self.state = Proving.CHECKING
        return (do.CheckProof(nonce, signature),)

    def checked(self, good_for_ms: int, now_ms: int) -> None:
        """The proof was looked at.

        Raises:
            ProtocolViolation: it is not this device's, or the device may no longer be here.

        """
        require(self.state is Proving.CHECKING, "a proof was checked that nobody gave")
        self.state = Proving.NOT_ASKED
        if good_for_ms <= 0:
            raise ProtocolViolation("the proof is not this device's", CloseCode.UNAUTHENTICATED)
        self.trust_for(good_for_ms, now_ms)
