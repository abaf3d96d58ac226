"""Coverage: which desk has been heard until when, and which could still hold something that nobody here has seen.

A list of who is in, and a roll-call, are only as good as the desks that have been heard. So each carries this statement
for a moment, the one that the list is about:

| what the desk last said                             | could it hold something that matters then?         |
|-----------------------------------------------------|----------------------------------------------------|
| nothing, ever                                       | yes: `NEVER_HEARD`                                 |
| that entries wait                                   | yes: `ENTRIES_WAIT`; of which time nobody knows    |
| something, and not whether entries wait             | yes: `QUEUE_UNKNOWN`                               |
| that nothing waits, before the moment; not linked   | yes: `SILENT`, from its last word to the moment    |
| that nothing waits, before the moment; linked now   | no: what it records it sends at once               |
| that nothing waits, at the moment or later          | no: it had sent all that it had recorded by then   |

No statement covers what somebody records later and says to have happened then. A desk that is linked sends an entry
within moments; what is on its way in this very second is not covered either.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from sync.limits import SILENCE_MAX_MS

# A desk that is linked says something every 5 s and is given up after SILENCE_MAX_MS; its word is written down within
# 2 s, and a slow database gets 4 s more.
LINKED_MS: Final = SILENCE_MAX_MS + 6_000


class Gap(StrEnum):
    """Why a desk could hold something that nobody here has seen."""

    NEVER_HEARD = "never_heard"
    ENTRIES_WAIT = "entries_wait"
    QUEUE_UNKNOWN = "queue_unknown"
    SILENT = "silent"


class DeskWord(msgspec.Struct, frozen=True, kw_only=True):
    """The last word of a desk: when it was heard (UTC milliseconds, the server's clock), and how much waited then.

    `heard_at_ms` None: never. `waiting` None: it was not said.
    """

    name: str
    heard_at_ms: int | None = None
    waiting: int | None = None
    is_linked: bool = False


class DeskCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What may be relied on of one desk; `gap` None: all that it had recorded by the moment is here."""

    device_id: str
    name: str
    heard_until_ms: int | None
    waiting: int | None
    is_linked: bool
    gap: Gap | None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """The statement for one moment (UTC milliseconds), desk by desk, by name."""

    at_ms: int
    desks: tuple[DeskCoverage, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether no desk could hold anything unsent that matters at the moment."""
        return all(desk.gap is None for desk in self.desks)


def is_linked(heard_at_ms: int, now_ms: int) -> bool:
    """Whether a desk that was last heard then counts as linked now; both are UTC milliseconds of one clock."""
    return now_ms - heard_at_ms <= LINKED_MS


def coverage(desks: Mapping[str, DeskWord], at_ms: int) -> Coverage:
    """State for a moment (UTC milliseconds) what has been heard of each desk, given by its id."""
    lines = [
        DeskCoverage(
            device_id=device_id,
            name=word.name,
            heard_until_ms=word.heard_at_ms,
            waiting=word.waiting,
            is_linked=word.is_linked,
            gap=_gap(word, at_ms),
        )
        for device_id, word in desks.items()
    ]
    return Coverage(at_ms=at_ms, desks=tuple(sorted(lines, key=lambda line: (line.name, line.device_id))))


def _gap(word: DeskWord, at_ms: int) -> Gap | None:
    if word.heard_at_ms is None:
        return Gap.NEVER_HEARD
    if word.waiting is None:
        return Gap.QUEUE_UNKNOWN
    if word.waiting > 0:
        return Gap.ENTRIES_WAIT
    return None if word.is_linked or word.heard_at_ms >= at_ms else Gap.SILENT
