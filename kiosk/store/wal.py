"""SQLite's write-ahead log, frame by frame, for when SQLite itself must not be asked.

Format: https://www.sqlite.org/fileformat2.html, section 4. A log begins with a header; each frame is one page with a
header of its own. The checksum of a frame covers every frame before it, so a log is read up to the first frame that is
not what it was, and counts up to the last COMMIT before that.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 4_096
_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_FRAME_BYTES: Final = _FRAME_HEADER_BYTES + PAGE_BYTES
_BIG_ENDIAN_MARK: Final = 0x83
_WORD: Final = 0xFFFF_FFFF

Sums = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """A page in the log: its number, whether it ends a transaction, and where its content begins."""

    page: int
    is_commit: bool
    at: int


def frames(log: bytes) -> Iterator[Frame]:
    """Every frame of this round of the log, also those that SQLite does not get to."""
    salts = log[16:24] if _header_is_whole(log) else log[_HEADER_BYTES + 8 : _HEADER_BYTES + 16]
    for at in range(_HEADER_BYTES, len(log) - _FRAME_BYTES + 1, _FRAME_BYTES):
        if log[at + 8 : at + 16] == salts:
            yield Frame(
                page=int.from_bytes(log[at : at + 4], "big"),
                is_commit=log[at + 4 : at + 8] != bytes(4),
                at=at + _FRAME_HEADER_BYTES,
            )


def without_unfinished(log: bytes) -> bytes:
    """The log without what is left of its last COMMIT, if that one never ended; else the log as it is.

    Every COMMIT is synced before the next begins. So what power loss leaves in pieces is the last one; where the log
    breaks off and more than one transaction comes behind, it was damaged.
    """
    end = _readable_bytes(log)
    commits_behind = sum(1 for frame in frames(log) if frame.is_commit and frame.at > end)
    return log[:end] if commits_behind <= 1 else log


def _readable_bytes(log: bytes) -> int:
    """Where the last COMMIT that SQLite gets to ends."""
    if not _header_is_whole(log):
        return 0
    order = _order(log)
    sums = _sums(log[:24], order, (0, 0))
    end = _HEADER_BYTES
    for at in range(_HEADER_BYTES, len(log) - _FRAME_BYTES + 1, _FRAME_BYTES):
        sums = _sums(log[at : at + 8], order, sums)
        sums = _sums(log[at + _FRAME_HEADER_BYTES : at + _FRAME_BYTES], order, sums)
        if log[at + 8 : at + 24] != log[16:24] + struct.pack(">II", *sums):
            break
        if log[at + 4 : at + 8] != bytes(4):
            end = at + _FRAME_BYTES
    return end


def _header_is_whole(log: bytes) -> bool:
    return len(log) >= _HEADER_BYTES and log[24:32] == struct.pack(">II", *_sums(log[:24], _order(log), (0, 0)))


def _order(log: bytes) -> str:
    """In which order the checksums take the bytes of a word; they themselves are always written big end first."""
    return ">" if log[3] == _BIG_ENDIAN_MARK else "<"


def _sums(octets: bytes, order: str, before: Sums) -> Sums:
    """The checksum of the log (section 4.2) goes on over whole pairs of words."""
    one, two = before
    words = struct.unpack(f"{order}{len(octets) // 4}I", octets)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two
