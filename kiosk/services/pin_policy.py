"""How often a PIN may be tried: five times at once, then ever more slowly, then not at all until it is a new one."""

from dataclasses import replace
from typing import Final

from kiosk.store.pin_attempts import Tries

FREE_TRIES: Final = 5
TRIES_MAX: Final = 10
# 30 s, 1, 2, 4 and 8 minutes: ten guesses out of 890,000 in a quarter of an hour, and then none.
FIRST_DELAY_MS: Final = 30_000


def delay_ms(failures: int) -> int:
    """How long to wait after so many wrong tries in a row, in milliseconds."""
    return FIRST_DELAY_MS << (failures - FREE_TRIES) if failures >= FREE_TRIES else 0


def is_used_up(tries: Tries) -> bool:
    """Whether the PIN opens nothing here any more, right or wrong."""
    return tries.failures >= TRIES_MAX


def wait_ms(tries: Tries, now_ms: int) -> int:
    """How long until the next try is taken; `now_ms` is on the desk's ratchet."""
    return max(0, tries.not_before_ms - now_ms)


def counted(tries: Tries, now_ms: int) -> Tries:
    """The tries with one more, which is taken for a wrong one until it is known to be right."""
    failures = tries.failures + 1
    return replace(tries, failures=failures, not_before_ms=now_ms + delay_ms(failures))
