"""The file of a journal: what was written is read, and whatever else a file holds is refused at its line."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.journal import Entry, genesis, head_after, seal
from sync.journal_file import (
    FILE_JOURNALS_MAX,
    LINE_BYTES_MAX,
    BadJournalFile,
    FileHeader,
    JournalFileReader,
    JournalSpan,
    dump,
)
from sync.limits import FRAME_BYTES_MAX
from tests.unit.sync.builders import CENTER, DEVICE, draft, event

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
OLDER, CURRENT = "older", "current"
LINES = 1 + 3 + 2 + 1


def sign(message: bytes, key: bytes = KEY) -> bytes:
    return hashlib.sha512(key + message).digest()


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    return sign(message, key) == signature


def journal(count: int, incarnation: str, signer: Callable[[bytes], bytes] = sign) -> list[Entry]:
    head, found = genesis(DEVICE, incarnation), []
    for number in range(1, count + 1):
        entry = seal(head, draft(event(number)), signer)
        head = head_after(entry)
        found.append(entry)
    return found


def header_of(*spans: tuple[str, int, int]) -> FileHeader:
    return FileHeader(
        device_id=DEVICE,
        center_id=CENTER,
        exported_at=datetime(2026, 9, 21, 7, 0, tzinfo=UTC),
        journals=tuple(JournalSpan(*span) for span in spans),
        public_key=KEY,
    )


# Entries 2 to 4 of a journal whose beginning the device has dropped, and the whole of a later one.
ENTRIES = [*journal(4, OLDER)[1:], *journal(2, CURRENT)]
HEADER = header_of((OLDER, 2, 4), (CURRENT, 1, 2))


def written() -> list[bytes]:
    return list(dump(HEADER, ENTRIES, sign))


def read(lines: Iterable[bytes]) -> tuple[FileHeader, list[Entry]]:
    reader = JournalFileReader(verify)
    entries = [entry for line in lines if (entry := reader.take(line)) is not None]
    return reader.finish(), entries


def refused(lines: Iterable[bytes]) -> BadJournalFile:
    with pytest.raises(BadJournalFile) as caught:
        read(lines)
    return caught.value


def changed(line: bytes, **values: object) -> bytes:
    return json.dumps(json.loads(line) | values).encode() + b"\n"


def closed(lines: list[bytes], key: bytes = KEY) -> list[bytes]:
    """The lines with a last line that fits them, as somebody with the key could make it."""
    digest = hashlib.sha256(b"".join(lines)).digest()
    last = {"sha256": digest.hex(), "signature": sign(b"rollcall-journal-export-v1\n" + digest, key).hex()}
    return [*lines, json.dumps(last).encode() + b"\n"]


# -- what is right


def test_what_was_written_is_read() -> None:
    assert read(written()) == (HEADER, ENTRIES)


def test_a_device_without_entries_writes_a_file_too() -> None:
    header = header_of()
    assert read(dump(header, [], sign)) == (header, [])


def test_the_format_is_the_documented_one() -> None:
    first, second, *_, last = written()
    assert json.loads(first) == {
        "rollcall": "journal",
        "format": 1,
        "device_id": DEVICE,
        "center_id": CENTER,
        "exported_at": "2026-09-21T07:00:00Z",
        "entries": 5,
        "journals": [
            {"incarnation": OLDER, "first_seq": 2, "last_seq": 4},
            {"incarnation": CURRENT, "first_seq": 1, "last_seq": 2},
        ],
        "public_key": base64.urlsafe_b64encode(KEY).decode().rstrip("="),
    }
    entry: dict[str, Any] = json.loads(second)
    assert list(entry) == list(Entry.__struct_fields__)
    assert base64.b64decode(entry["body"]) == ENTRIES[0].body
    assert bytes.fromhex(entry["signature"]) == ENTRIES[0].signature
    digest = hashlib.sha256(b"".join(written()[:-1])).digest()
    assert json.loads(last)["sha256"] == digest.hex()
    assert json.loads(last)["signature"] == sign(b"rollcall-journal-export-v1\n" + digest).hex()


@given(st.text(max_size=64), st.binary(max_size=200), st.integers(-(2**63) + 1, 2**63 - 1))
def test_whatever_a_device_wrote_arrives_as_it_was(text: str, body: bytes, wall_ms: int) -> None:
    wild = msgspec.structs.replace(draft(event(1)), event_id=text, kind=text, boot_id=text, body=body, wall_ms=wall_ms)
    entry = seal(genesis(DEVICE, text), wild, sign)
    assert read(dump(header_of((text, 1, 1)), [entry], sign))[1] == [entry]


# -- writing


@pytest.mark.parametrize("entries", [ENTRIES[1:], ENTRIES[:-1], [*ENTRIES, ENTRIES[-1]], ENTRIES[::-1]])
def test_a_file_is_not_written_with_other_entries_than_it_announces(entries: list[Entry]) -> None:
    with pytest.raises(ValueError, match=r"announce"):
        list(dump(HEADER, entries, sign))


# -- what is wrong


@pytest.mark.parametrize("kept", range(LINES))
def test_a_file_that_is_cut_off_is_refused_where_it_ends(kept: int) -> None:
    error = refused(written()[:kept])
    assert error.line == kept + 1
    assert "cut off" in error.reason


@given(st.integers(0, LINES - 1), st.data())
def test_no_byte_can_be_changed(number: int, data: st.DataObject) -> None:
    lines = written()
    position = data.draw(st.integers(0, len(lines[number]) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[number][position]))
    lines[number] = lines[number][:position] + bytes((byte,)) + lines[number][position + 1 :]
    assert refused(lines).line >= number + 1


@given(st.integers(0, LINES - 1))
def test_no_line_can_be_taken_out(number: int) -> None:
    lines = written()
    del lines[number]
    assert refused(lines).line == number + 1


@given(st.integers(0, LINES - 2))
def test_no_two_lines_can_be_swapped(number: int) -> None:
    lines = written()
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    assert refused(lines).line == number + 1


def test_nothing_may_follow_the_last_line() -> None:
    error = refused([*written(), b"\n"])
    assert (error.line, error.reason) == (LINES + 1, "the file should have ended before it")


def test_a_file_of_another_kind_is_refused_in_its_first_line() -> None:
    for line in (b"", b"PK\x03\x04", b"[]\n", b"\xff\n", b"[" * 2_000):
        error = refused([line])
        assert (error.line, error.reason) == (1, "it is not the beginning of a journal file")


def test_a_newer_format_is_named() -> None:
    assert "format 2" in refused([changed(written()[0], format=2)]).reason


def test_a_header_that_contradicts_itself_is_refused() -> None:
    first = written()[0]
    span = {"incarnation": "a", "first_seq": 2, "last_seq": 2}
    twice, backwards = [span, span | {"first_seq": 1}], [span | {"last_seq": 1}]
    many = [span | {"incarnation": str(number)} for number in range(FILE_JOURNALS_MAX + 1)]
    assert "contradicts" in refused([changed(first, journals=twice)]).reason
    assert "contradicts" in refused([changed(first, journals=backwards)]).reason
    assert "beginning" in refused([changed(first, journals=many)]).reason
    assert "have 5 entries, not 6" in refused([changed(first, entries=6)]).reason


def test_a_line_that_is_too_long_is_refused_unread() -> None:
    error = refused([written()[0], b" " * LINE_BYTES_MAX + written()[1]])
    assert (error.line, error.reason) == (2, "it is too long for any entry")


def test_the_longest_line_that_is_allowed_is_read() -> None:
    entry = seal(genesis(DEVICE, CURRENT), draft(event(1), body=bytes(FRAME_BYTES_MAX)), sign)
    assert read(dump(header_of((CURRENT, 1, 1)), [entry], sign))[1] == [entry]


def test_a_body_that_is_no_base64_or_too_long_is_refused() -> None:
    lines = written()
    assert refused([lines[0], changed(lines[1], body="é")]).reason == "its body is not base64"
    long = base64.b64encode(bytes(FRAME_BYTES_MAX + 1)).decode()
    assert refused([lines[0], changed(lines[1], body=long)]).reason == "its body is too long for any entry"


def test_an_entry_that_was_changed_is_named() -> None:
    lines = written()
    error = refused([lines[0], changed(lines[1], wall_ms=1)])
    assert (error.line, error.reason) == (2, "entry 2 was changed: its hash is not that of its content")


def test_an_entry_of_another_run_does_not_fit_in() -> None:
    first, second, *rest = ENTRIES
    other = seal(head_after(first), draft(event(9)), sign)
    lines = list(dump(HEADER, [first, other, *rest], sign))
    error = refused(lines)
    assert (error.line, error.reason) == (4, "entry 4 does not follow the entry before it")
    assert second.hash != other.hash


def test_a_first_entry_must_follow_the_genesis_of_its_device() -> None:
    head = genesis("somebody else", CURRENT)
    entry = seal(head, draft(event(1)), sign)
    error = refused(dump(header_of((CURRENT, 1, 1)), [entry], sign))
    assert (error.line, error.reason) == (2, "entry 1 does not follow the entry before it")


def test_an_entry_that_somebody_else_signed_is_refused() -> None:
    entries = journal(1, CURRENT, lambda message: sign(message, OTHER_KEY))
    error = refused(dump(header_of((CURRENT, 1, 1)), entries, sign))
    assert (error.line, error.reason) == (2, "entry 1 was not signed by this device")


def test_a_file_that_somebody_else_signed_is_refused() -> None:
    error = refused(closed(written()[:-1], OTHER_KEY))
    assert (error.line, error.reason) == (LINES, "the file was not signed by this device")


def test_a_file_whose_lines_were_written_anew_is_refused() -> None:
    lines = written()
    lines[0] = changed(lines[0], exported_at="2026-09-22T07:00:00Z")
    error = refused(lines)
    assert (error.line, error.reason) == (LINES, "the file was changed: its hash is another")
    assert read(closed(lines[:-1]))[1] == ENTRIES
