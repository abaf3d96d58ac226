"""The server's own chains: they cover what a row says beside what devices see, so that no column changes unnoticed.

The chain of the change log travels to devices and covers version, record and commitment. When a row was written, by
whom, in which bucket, and what became of an entry never enters that chain. These two do, each value with its length:

    log:      SHA-256(previous || hash of the row || bucket || transaction_last || at || actor || origin)
    journal:  SHA-256(previous || hash of the entry || signature || outcome || reason || version || received_at)

Both begin after `GENESIS`. They never leave the server.
"""

import hashlib
from typing import Final

import msgspec

GENESIS: Final = b""


def log_evidence(  # noqa: PLR0913 - one argument for each column it covers
    previous: bytes, row_hash: bytes, *, bucket: str, transaction_last: bool, at_us: int, actor: str, origin: str
) -> bytes:
    """Evidence of one row of the change log; `at_us` is UTC microseconds since 1970."""
    fields = (previous, row_hash, bucket, transaction_last, at_us, actor, origin)
    return hashlib.sha256(msgspec.msgpack.encode(fields)).digest()


def journal_evidence(  # noqa: PLR0913 - the same
    previous: bytes,
    entry_hash: bytes,
    signature: bytes,
    *,
    outcome: int,
    reason: int,
    version: int,
    received_at_us: int,
) -> bytes:
    """Evidence of one stored entry and its answer; `received_at_us` is UTC microseconds since 1970."""
    fields = (previous, entry_hash, signature, outcome, reason, version, received_at_us)
    return hashlib.sha256(msgspec.msgpack.encode(fields)).digest()
