"""The file in which a device's journal travels by hand: one JSON line for each entry, signed as a whole.

    {"rollcall":"journal","format":1,"device_id":..,"center_id":..,"exported_at":..,"entries":N,"journals":[..],..}
    {"incarnation":..,"seq":1,"event_id":..,"kind":..,"body":base64,..,"previous_hash":hex,"hash":hex,"signature":hex}
    ...
    {"sha256":hex of all bytes before this line,"signature":hex}

The entries are those of the journal, exactly: they were signed when they were written, and a server takes them like a
push. The last line is there so that a file that was cut off or changed is known as such before any of it is stored.
"""

import hashlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from sync.attendance import Uuid
from sync.errors import SyncError
from sync.journal import AnyInt64, Entry, Int64, Label, Sign, entry_hash, genesis
from sync.limits import FRAME_BYTES_MAX

FORMAT: Final = 1
# An entry's body fits a frame, and base64 makes four bytes of three; the rest of a line is far below the remainder.
LINE_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX
# Each fork begins another journal, and a device keeps each for 30 days: two a day are a broken device.
FILE_JOURNALS_MAX: Final = 64
_SIGNED_PREFIX: Final = b"rollcall-journal-export-v1\n"

Verify = Callable[[bytes, bytes, bytes], bool]
"""Takes a raw Ed25519 public key, a signature and what was signed; tells whether they belong together."""

Seq = Annotated[int, msgspec.Meta(ge=1)]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Hex64 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]
Key = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class BadJournalFile(SyncError):
    """A file that is not one whole, unchanged export; `line` (from 1) is where that was noticed."""

    def __init__(self, line: int, reason: str) -> None:
        """Keep the line beside a reason that holds no personal data."""
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class JournalSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries of one journal the file holds: all from `first_seq` to `last_seq`."""

    incarnation: Label
    first_seq: Seq
    last_seq: Seq


class FileHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Whose journals the file holds; `public_key` is the device's raw Ed25519 key (32 bytes)."""

    device_id: str
    center_id: str
    exported_at: datetime
    journals: tuple[JournalSpan, ...]
    public_key: bytes

    @property
    def entries(self) -> int:
        """How many entries the file holds."""
        return sum(span.last_seq - span.first_seq + 1 for span in self.journals)


class _HeaderLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rollcall: Literal["journal"]
    format: int
    device_id: Uuid
    center_id: Uuid
    exported_at: Moment
    entries: Int64
    journals: Annotated[tuple[JournalSpan, ...], msgspec.Meta(max_length=FILE_JOURNALS_MAX)]
    public_key: Key


class _EntryLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    incarnation: Label
    seq: Int64
    event_id: Label
    kind: Label
    body: str
    hlc: Int64
    wall_ms: AnyInt64
    monotonic_ms: Int64
    boot_id: Label
    base_epoch: Label
    base_version: Int64
    previous_hash: Hex32
    hash: Hex32
    signature: Hex64


class _LastLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sha256: Hex32
    signature: Hex64


def dump(header: FileHeader, entries: Iterable[Entry], sign: Sign) -> Iterator[bytes]:
    """Give the lines of a file, one after the other; `entries` come in the order of `header.journals`.

    Raises:
        ValueError: the entries are not those that the header announces.

    """
    expected = _positions(header.journals)
    digest = hashlib.sha256()
    for line in _content(header, entries, expected):
        digest.update(line)
        yield line
    if next(expected, None) is not None:
        message = "the header announces more entries"
        raise ValueError(message)
    signature = sign(_SIGNED_PREFIX + digest.digest())
    yield _line(_LastLine(sha256=digest.hexdigest(), signature=signature.hex()))


class JournalFileReader:
    """Takes a file line by line and gives its entries, each checked; nothing counts before `finish` said so."""

    def __init__(self, verify: Verify) -> None:
        """Know no line yet."""
        self._verify = verify
        self._number = 0
        self._digest = hashlib.sha256()
        self._header: FileHeader | None = None
        self._expected: Iterator[tuple[str, int]] = iter(())
        self._previous: Entry | None = None
        self._left = 0
        self._is_whole = False

    def take(self, line: bytes) -> Entry | None:
        """Take the next line with its line feed; returns the entry that it holds, None for the first and last line.

        Raises:
            BadJournalFile: the line is not what must stand there.

        """
        self._number += 1
        if len(line) > LINE_BYTES_MAX:
            raise self._bad("it is too long for any entry")
        if self._is_whole:
            raise self._bad("the file should have ended before it")
        if self._header is None:
            self._take_header(line)
            return None
        if self._left:
            return self._take_entry(line, self._header)
        self._take_last(line, self._header)
        return None

    def finish(self) -> FileHeader:
        """Say that there are no more lines; returns whose file it was.

        Raises:
            BadJournalFile: the file is cut off.

        """
        if self._header is None or not self._is_whole:
            self._number += 1
            raise self._bad("the file is cut off before it")
        return self._header

    def _take_header(self, line: bytes) -> None:
        found = self._decoded(line, _HeaderLine, "it is not the beginning of a journal file")
        if found.format != FORMAT:
            raise self._bad(f"the file has format {found.format}, and this version knows format {FORMAT}")
        incarnations = {span.incarnation for span in found.journals}
        if len(incarnations) < len(found.journals) or any(s.last_seq < s.first_seq for s in found.journals):
            raise self._bad("the list of journals contradicts itself")
        header = FileHeader(
            device_id=found.device_id,
            center_id=found.center_id,
            exported_at=found.exported_at,
            journals=found.journals,
            public_key=urlsafe_b64decode(found.public_key + "="),
        )
        if header.entries != found.entries:
            raise self._bad(f"the journals have {header.entries} entries, not {found.entries}")
        self._header, self._left = header, found.entries
        self._expected = _positions(header.journals)
        self._digest.update(line)

    def _take_entry(self, line: bytes, header: FileHeader) -> Entry:
        entry = self._entry(self._decoded(line, _EntryLine, "it is no entry of a journal"))
        if (entry.incarnation, entry.seq) != next(self._expected):
            raise self._bad("another entry belongs here")
        if entry_hash(entry) != entry.hash:
            raise self._bad(f"entry {entry.seq} was changed: its hash is not that of its content")
        if not self._follows(entry, header):
            raise self._bad(f"entry {entry.seq} does not follow the entry before it")
        if not self._verify(header.public_key, entry.signature, entry.hash):
            raise self._bad(f"entry {entry.seq} was not signed by this device")
        self._digest.update(line)
        self._previous = entry
        self._left -= 1
        return entry

    def _follows(self, entry: Entry, header: FileHeader) -> bool:
        if entry.seq == 1:
            return entry.previous_hash == genesis(header.device_id, entry.incarnation).hash
        previous = self._previous
        is_first = previous is None or previous.incarnation != entry.incarnation
        return is_first or (previous is not None and entry.previous_hash == previous.hash)

    def _take_last(self, line: bytes, header: FileHeader) -> None:
        last = self._decoded(line, _LastLine, "it is not the end of a journal file")
        if last.sha256 != self._digest.hexdigest():
            raise self._bad("the file was changed: its hash is another")
        signed = _SIGNED_PREFIX + self._digest.digest()
        if not self._verify(header.public_key, bytes.fromhex(last.signature), signed):
            raise self._bad("the file was not signed by this device")
        self._is_whole = True

    def _entry(self, line: _EntryLine) -> Entry:
        try:
            body = b64decode(line.body, validate=True)
        except ValueError:
            raise self._bad("its body is not base64") from None
        if len(body) > FRAME_BYTES_MAX:
            raise self._bad("its body is too long for any entry")
        return Entry(
            line.incarnation,
            line.seq,
            line.event_id,
            line.kind,
            body,
            line.hlc,
            line.wall_ms,
            line.monotonic_ms,
            line.boot_id,
            line.base_epoch,
            line.base_version,
            bytes.fromhex(line.previous_hash),
            bytes.fromhex(line.hash),
            bytes.fromhex(line.signature),
        )

    def _decoded(self, line: bytes, kind: type["Line"], otherwise: str) -> "Line":
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._bad(otherwise) from None

    def _bad(self, reason: str) -> BadJournalFile:
        return BadJournalFile(self._number, reason)


Line = TypeVar("Line", _HeaderLine, _EntryLine, _LastLine)


def _content(header: FileHeader, entries: Iterable[Entry], expected: Iterator[tuple[str, int]]) -> Iterator[bytes]:
    yield _line(_header_line(header))
    for entry in entries:
        if (entry.incarnation, entry.seq) != next(expected, None):
            message = f"entry {entry.seq} is not announced at this place"
            raise ValueError(message)
        yield _line(_entry_line(entry))


def _positions(journals: Iterable[JournalSpan]) -> Iterator[tuple[str, int]]:
    for span in journals:
        for seq in range(span.first_seq, span.last_seq + 1):
            yield span.incarnation, seq


def _header_line(header: FileHeader) -> _HeaderLine:
    return _HeaderLine(
        rollcall="journal",
        format=FORMAT,
        device_id=header.device_id,
        center_id=header.center_id,
        exported_at=header.exported_at,
        entries=header.entries,
        journals=header.journals,
        public_key=urlsafe_b64encode(header.public_key).decode().rstrip("="),
    )


def _entry_line(entry: Entry) -> _EntryLine:
    return _EntryLine(
        incarnation=entry.incarnation,
        seq=entry.seq,
        event_id=entry.event_id,
        kind=entry.kind,
        body=b64encode(entry.body).decode(),
        hlc=entry.hlc,
        wall_ms=entry.wall_ms,
        monotonic_ms=entry.monotonic_ms,
        boot_id=entry.boot_id,
        base_epoch=entry.base_epoch,
        base_version=entry.base_version,
        previous_hash=entry.previous_hash.hex(),
        hash=entry.hash.hex(),
        signature=entry.signature.hex(),
    )


def _line(line: "Line") -> bytes:
    return msgspec.json.encode(line) + b"\n"
