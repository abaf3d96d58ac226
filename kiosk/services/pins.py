"""Checking a PIN at this desk: each try is durable before it is looked at, and looking takes another thread."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kiosk.services.errors import DeskError
from kiosk.services.pin_policy import TRIES_MAX, counted, is_used_up, wait_ms
from kiosk.store.pin_attempts import PinAttempts, Tries
from kiosk.store.replica import Replica
from sync.pins import PIN_LANES, PIN_MEMORY_KIB, PIN_PASSES, STRETCHED_BYTES, is_pin, opens, salt_of
from sync.records import PinRecord

_SECOND_MS: Final = 1_000
LOCKED_WORDS: Final = (
    f"This PIN was tried wrongly {TRIES_MAX} times and opens this desk no more. The manager can set a new one; "
    "somebody else can unlock the desk meanwhile."
)


@dataclass(frozen=True)
class PinStore:
    """What checking needs of the desk: its file, work on the file's thread, and time written down before."""

    replica: Callable[[], Replica]
    ask: Callable[[Callable[[], Tries]], Awaitable[Tries]]
    pass_time: Callable[[], Awaitable[None]]


class PinCheck:
    """Checks PINs one after the other."""

    def __init__(self, store: PinStore) -> None:
        self._store = store
        self._turn = asyncio.Lock()

    async def check(self, person_id: str, record: PinRecord, pin: str, pepper: bytes) -> None:
        """Return when this is the person's PIN.

        Raises:
            DeskError: bad_input (no PIN at all; it costs no try), pin_wrong, pin_wait, pin_locked, storage errors.

        """
        if not is_pin(pin):
            raise DeskError("bad_input", "A PIN has six to twelve digits.")
        async with self._turn:
            await self._store.pass_time()
            tries = await self._store.ask(lambda: self._begin(person_id, record.salt))
            if not opens(record, await asyncio.to_thread(stretched, pin, salt_of(record)), pepper):
                raise _wrong(tries)
            await self._store.ask(lambda: self._succeed(person_id))

    def _begin(self, person_id: str, salt: str) -> Tries:
        replica = self._store.replica()
        attempts = PinAttempts(replica.database)
        with replica.database.transaction():
            tries, now_ms = attempts.read(person_id, salt), replica.progress.read().ratchet_ms
            if is_used_up(tries):
                raise DeskError("pin_locked", LOCKED_WORDS)
            if left_ms := wait_ms(tries, now_ms):
                raise DeskError("pin_wait", f"Too many wrong tries; wait {_words(left_ms)}, then try again.")
            tries = counted(tries, now_ms)
            attempts.write(person_id, tries)
        return tries

    def _succeed(self, person_id: str) -> Tries:
        replica = self._store.replica()
        with replica.database.transaction():
            PinAttempts(replica.database).forget(person_id)
        return Tries("")


def stretched(pin: str, salt: bytes) -> bytes:
    """The PIN stretched as the server did it: 64 MiB and a quarter of a second; raises DeskError storage_failed."""
    try:
        maker = Argon2id(
            salt=salt, length=STRETCHED_BYTES, iterations=PIN_PASSES, lanes=PIN_LANES, memory_cost=PIN_MEMORY_KIB
        )
        return maker.derive(pin.encode())
    except (UnsupportedAlgorithm, MemoryError) as error:
        message = "This machine cannot check PINs now; start the desk again, or ask who looks after it."
        raise DeskError("pin_not_checked", message) from error


def _wrong(tries: Tries) -> DeskError:
    if is_used_up(tries):
        return DeskError("pin_locked", LOCKED_WORDS)
    left = TRIES_MAX - tries.failures
    return DeskError("pin_wrong", f"That is not the PIN. {left} more {'try' if left == 1 else 'tries'}.")


def _words(left_ms: int) -> str:
    seconds = -(-left_ms // _SECOND_MS)
    return f"{seconds} s" if seconds < 60 else f"{-(-seconds // 60)} min"  # noqa: PLR2004 - a minute
