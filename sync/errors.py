"""Every error of the sync core and every close code of the protocol.

SyncError
|-- ProtocolViolation          the peer broke the protocol (remote error); carries the close code to send
|   `-- UndecodableMessage     bytes that are no message
|-- ImpossibleTransition       our own session got an event that cannot happen in its state (local error, a bug)
|-- BadJournalFile             a journal file that is not one whole, unchanged export (sync/journal_file.py)
`-- BrokenChain                hashes or numbers that do not follow from each other
"""

from enum import IntEnum
from typing import Final


class CloseCode(IntEnum):
    """Why a link was closed; 1000-1999 are RFC 6455's own. docs/protocol.md says what each side does next."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    COME_BACK_LATER = 1013
    UNDECODABLE = 4400
    UNAUTHENTICATED = 4401
    REVOKED = 4403
    SILENT = 4408
    FORK = 4409
    UPGRADE_NEEDED = 4426
    PROTOCOL_VIOLATION = 4422
    JOURNAL_INVALID = 4423
    STALLED = 4424
    SLOW_CONSUMER = 4429
    INTERNAL = 4500
    STORE_UNAVAILABLE = 4503


# Codes after which dialling again at once, or soon, cannot help: a person has to act first. REVOKED is none of them:
# at the next contact the server takes what the device still holds, and then the device forgets everything.
NEEDS_A_PERSON: Final = frozenset({CloseCode.FORK, CloseCode.UPGRADE_NEEDED, CloseCode.JOURNAL_INVALID})


class SyncError(Exception):
    """Base of everything that this package raises."""


class ProtocolViolation(SyncError):
    """The peer sent what it must not; `code` is the close code that answers it."""

    def __init__(self, message: str, code: CloseCode = CloseCode.PROTOCOL_VIOLATION) -> None:
        """Keep the close code beside a message that holds no personal data."""
        super().__init__(message)
        self.code = code


class UndecodableMessage(ProtocolViolation):
    """Bytes that are not one whole, valid message."""

    def __init__(self, message: str, code: CloseCode = CloseCode.UNDECODABLE) -> None:
        """As ProtocolViolation, with UNDECODABLE unless told otherwise."""
        super().__init__(message, code)


class ImpossibleTransition(SyncError):
    """An event that our own code must never deliver in this state."""


class BrokenChain(SyncError):
    """A run of entries or changes whose numbers or hashes do not follow from each other."""


def demand(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as the condition it is
    """Say what a peer must have kept to.

    Raises:
        ProtocolViolation: it did not.

    """
    if not holds:
        raise ProtocolViolation(what)


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as the condition it is
    """Say what our own code must have kept to.

    Raises:
        ImpossibleTransition: it did not.

    """
    if not holds:
        raise ImpossibleTransition(what)
