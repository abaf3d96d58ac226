"""Strategies built from the structs themselves, and short ways to make facts, entries and changes."""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from sync import journal
from sync.attendance import AttendanceEvent, EventKind, Fact, encode_event
from sync.change_log import ChangeDraft, Head, Numbered, Operation, genesis, number
from sync.journal import Draft, Entry, JournalHead, head_after, seal
from sync.limits import INT64_MAX

NINE_MS = 1_790_000_000_000
MINUTE_MS = 60_000
CENTER = "00000000-0000-7000-8000-0000000000c1"
CHILD = "00000000-0000-7000-8000-0000000000d1"
DEVICE = "00000000-0000-7000-8000-0000000000e1"
EPOCH = "00000000-0000-4000-8000-0000000000f1"
INCARNATION = "00000000-0000-7000-8000-0000000000a1"
_SMALL_ARRAY = 4
_SMALL_BYTES = 200

T = TypeVar("T")


def uuid_of(number_: int) -> str:
    return f"00000000-0000-7000-8000-{number_:012x}"


def instances(struct: type[T]) -> st.SearchStrategy[T]:
    """Any value of a struct that its own annotations allow; texts without a pattern, arrays kept short."""
    strategy: st.SearchStrategy[T] = _values(inspect.type_info(struct))
    return strategy


def _values(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.IntType():
            low = info.ge if info.ge is not None else -INT64_MAX
            return st.integers(int(low), int(info.le) if info.le is not None else INT64_MAX)
        case inspect.StrType():
            return st.text(max_size=info.max_length)
        case inspect.BytesType():
            most = info.max_length if info.max_length is not None else _SMALL_BYTES
            return st.binary(min_size=info.min_length or 0, max_size=min(most, _SMALL_BYTES))
        case inspect.BoolType():
            return st.booleans()
        case inspect.EnumType(cls):
            return st.sampled_from(list[Enum](cls))
        case inspect.VarTupleType():
            least = info.min_length or 0
            return st.lists(_values(info.item_type), min_size=least, max_size=_SMALL_ARRAY).map(tuple)
        case inspect.StructType(cls):
            fields = {field.name: _values(field.type) for field in info.fields}
            return st.builds(cls, **fields)
        case _:
            raise NotImplementedError(info)


def event(  # noqa: PLR0913 - each test names what its case is about
    number_: int,
    *,
    kind: EventKind = EventKind.CHECK_IN,
    minute: float = 0,
    adult: str = "",
    offset_ms: int | None = None,
    typed: bool = False,
    child_id: str = CHILD,
    center_id: str = CENTER,
    **more: Any,
) -> AttendanceEvent:
    happened_ms = at_ms(minute)
    return AttendanceEvent(
        **more,
        event_id=uuid_of(number_),
        kind=kind,
        center_id=center_id,
        child_id=child_id,
        occurred_at_ms=happened_ms,
        recorded_at_ms=happened_ms + MINUTE_MS if typed else happened_ms,
        clock_offset_ms=offset_ms,
        adult_name=adult,
    )


def fact(happened: AttendanceEvent, desk: str = "A") -> Fact:
    seq = int(happened.event_id[-12:], 16)
    return Fact(event=happened, device_id=desk, incarnation=f"{desk}1", seq=seq, hlc=seq)


def came(number_: int, minute: float, desk: str = "A") -> Fact:
    return fact(event(number_, minute=minute), desk)


def left(number_: int, minute: float, desk: str = "A", adult: str = "") -> Fact:
    return fact(event(number_, kind=EventKind.CHECK_OUT, minute=minute, adult=adult), desk)


def told(number_: int, kind: EventKind, minute: float, desk: str = "A", **more: Any) -> Fact:
    """A fact of any kind; `supersedes` and `confirms` may name events by their numbers."""
    for name in {"supersedes", "confirms"} & more.keys():
        more[name] = tuple(uuid_of(one) if isinstance(one, int) else one for one in more[name])
    return fact(event(number_, kind=kind, minute=minute, **more), desk)


def at_ms(minute: float) -> int:
    return int(NINE_MS + minute * MINUTE_MS)


def sign(digest: bytes) -> bytes:
    """64 bytes that depend on what is signed; whether a signature is right is not the core's business."""
    return digest[::-1] + digest


def draft(happened: AttendanceEvent, *, body: bytes | None = None, kind: str | None = None) -> Draft:
    return Draft(
        event_id=happened.event_id,
        kind=happened.kind.value if kind is None else kind,
        body=encode_event(happened) if body is None else body,
        hlc=1,
        wall_ms=happened.recorded_at_ms,
        monotonic_ms=1,
        boot_id="boot",
        base_epoch="",
        base_version=0,
    )


def journal_of(count: int, *, device: str = DEVICE, incarnation: str = INCARNATION) -> tuple[Entry, ...]:
    return tuple(entries_after(journal.genesis(device, incarnation), (event(n) for n in range(1, count + 1))))


def entries_after(head: JournalHead, events: Iterable[AttendanceEvent]) -> Iterator[Entry]:
    for happened in events:
        entry = seal(head, draft(happened), sign)
        head = head_after(entry)
        yield entry


def salt(number_: int = 1) -> bytes:
    return number_.to_bytes(16, "big")


def change_draft(number_: int, *, ends_unit: bool = True, body_bytes: int = 20) -> ChangeDraft:
    return ChangeDraft(
        bucket="reference",
        entity="room",
        entity_id=uuid_of(number_),
        operation=Operation.PUT,
        body=b"x" * body_bytes,
        ends_unit=ends_unit,
    )


def log_of(drafts: Iterable[ChangeDraft]) -> tuple[Head, Head, tuple[Numbered, ...]]:
    """The empty head, the head at the end and the rows of a log."""
    listed = list(drafts)
    start = genesis(CENTER, EPOCH)
    end, rows = number(start, listed, (salt(index) for index in range(1, len(listed) + 1)))
    return start, end, rows


def tampered(entry: Entry, **changes: object) -> Entry:
    return msgspec.structs.replace(entry, **changes)
