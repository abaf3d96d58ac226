"""How long to wait before dialling again: full jitter, with luck as an argument.

After Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from sync.limits import ADVISED_WAIT_MAX_MS, BACKOFF_FIRST_MS, BACKOFF_MAX_MS


def delay_ms(*, failures: int, luck: float, advised_ms: int | None = None) -> int:
    """Milliseconds to wait after `failures` failed tries in a row (1 or more); `luck` is in [0, 1).

    The server's advice wins: its delay is kept and up to half of it is added, so that many desks that were told
    the same come back spread out.
    """
    if advised_ms is not None:
        return int(min(advised_ms, ADVISED_WAIT_MAX_MS) * (1 + luck / 2))
    ceiling = min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** min(failures - 1, 10))
    return max(1, int(ceiling * luck))
