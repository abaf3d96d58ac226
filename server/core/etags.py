"""Which state of a thing a change is meant for (RFC 9110 section 13.1.1), free of HTTP."""

import hashlib
from dataclasses import dataclass
from typing import Final

from server.core.errors import PreconditionFailed, PreconditionRequired

TAG_CHARACTERS: Final = 32  # 128 bits in hex: nobody meets two states with one tag


def etag_of(*parts: object) -> str:
    """Give the tag of a state: whatever `parts` (ids, versions, texts) differ in, the tags differ in too."""
    material = "\0".join(f"{len(text)}:{text}" for text in map(str, parts))
    return hashlib.sha256(material.encode()).hexdigest()[:TAG_CHARACTERS]


def etag_of_bytes(data: bytes) -> str:
    """Give the tag of an answer by its bytes."""
    return hashlib.sha256(data).hexdigest()[:TAG_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Expected:
    """The tags of the states that an asker would have changed; None stands for any state there may be."""

    tags: frozenset[str] | None

    def require(self, current: str) -> None:
        """Ask this under the lock of the thing. Raises PreconditionFailed when it is in another state."""
        if self.tags is not None and current not in self.tags:
            raise PreconditionFailed


ANY_STATE: Final = Expected(None)
"""Whatever state there is."""


def check_expected(current: str | None, expected: Expected | None) -> None:
    """Ask this under the lock of a thing that a change may make: `current` None when it is not there.

    Raises:
        PreconditionRequired: it is there, and nothing was expected.
        PreconditionFailed: it is in another state than was expected, or not there.

    """
    if current is None:
        if expected is not None:
            raise PreconditionFailed
        return
    if expected is None:
        raise PreconditionRequired
    expected.require(current)
