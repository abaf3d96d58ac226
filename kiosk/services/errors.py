"""What a desk refuses, in words for the person at the desk.

DeskError(code, message)    `code` is stable and documented in docs/agent.md; `message` says what to do next
"""

from typing import Final

from kiosk.keys import AlreadyEnrolled, DeviceRevoked, KeysUnreadable, NotEnrolled
from kiosk.store.errors import ReplicaForeign, ReplicaInUse, ReplicaTooNew, ReplicaUnreadable, StorageFull, StoreError


class DeskError(Exception):
    """A refusal; nothing was recorded."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (StorageFull, "storage_full"),
    (ReplicaInUse, "replica_in_use"),
    (ReplicaTooNew, "replica_too_new"),
    (ReplicaForeign, "wrong_keys"),
    (ReplicaUnreadable, "replica_unreadable"),
    (StoreError, "storage_failed"),
    (NotEnrolled, "not_enrolled"),
    (AlreadyEnrolled, "already_enrolled"),
    (KeysUnreadable, "keys_unreadable"),
    (DeviceRevoked, "revoked"),
)

LOCAL_ERRORS: Final = (StoreError, NotEnrolled, AlreadyEnrolled, KeysUnreadable, DeviceRevoked)


def desk_error(error: Exception) -> DeskError:
    """The refusal that a failure of store or keys becomes; their messages already say what to do."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "storage_failed")
    return DeskError(code, str(error))
