"""What a peer of protocol 1 can read: written once, from the document of protocol 1, and never changed again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

FRAME_BYTES_MAX: Final = 262_144
_INT31: Final = 2**31 - 1
_INT63: Final = 2**63 - 1
_REQUIRED: Final = object()

Read = Callable[[object], Any]


class UnreadableError(Exception):
    """A peer of protocol 1 would close the link with 4400 (or 1009)."""


@dataclass(frozen=True)
class Message:
    """A message by its name, and its fields by theirs."""

    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One field: how it is read, and what it is when it is not sent."""

    name: str
    read: Read
    default: object = _REQUIRED


def _number(low: int, high: int) -> Read:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UnreadableError(f"no number from {low} to {high}: {value!r}")
        return value

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise UnreadableError(f"no text of 64 characters: {value!r}")
    return value


def _octets(low: int, high: int) -> Read:
    def read(value: object) -> bytes:
        if not isinstance(value, bytes) or not low <= len(value) <= high:
            raise UnreadableError(f"not {low} to {high} bytes: {value!r}")
        return value

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnreadableError(f"neither true nor false: {value!r}")
    return value


def _one_of(*numbers: int) -> Read:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in numbers:
            raise UnreadableError(f"none of the numbers {numbers}: {value!r}")
        return value

    return read


FIELDS: Final[dict[str, tuple[str, ...]]] = {}
"""The names of each struct's fields, in order."""


def _struct(struct: str, *fields: Field) -> Read:
    FIELDS[struct] = tuple(field.name for field in fields)

    def read(value: object) -> dict[str, Any]:
        if not isinstance(value, list):
            raise UnreadableError(f"no array: {value!r}")
        found: dict[str, Any] = {}
        for place, field in enumerate(fields):
            if place < len(value):
                found[field.name] = field.read(value[place])
            elif field.default is _REQUIRED:
                raise UnreadableError(f"{field.name} is missing")
            else:
                found[field.name] = field.default
        return found

    return read


def _array(item: Read, low: int, high: int) -> Read:
    def read(value: object) -> list[Any]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise UnreadableError(f"no array of {low} to {high} elements")
        return [item(each) for each in value]

    return read


_COUNT: Final = _number(0, _INT31)
_INT64: Final = _number(0, _INT63)
_ANY64: Final = _number(-_INT63, _INT63)
_HASH: Final = _octets(32, 32)
_MAYBE_HASH: Final = _octets(0, 32)
_PART: Final = _number(0, 4096)
_RECORD_BODY: Final = _octets(0, 65_536)
_SALT: Final = _octets(0, 16)

_ENTRY: Final = _struct(
    "Entry",
    Field("incarnation", _text),
    Field("seq", _number(1, _INT63)),
    Field("event_id", _text),
    Field("kind", _text),
    Field("body", _octets(0, FRAME_BYTES_MAX)),
    Field("hlc", _INT64),
    Field("wall_ms", _ANY64),
    Field("monotonic_ms", _INT64),
    Field("boot_id", _text),
    Field("base_epoch", _text),
    Field("base_version", _INT64),
    Field("previous_hash", _HASH),
    Field("hash", _HASH),
    Field("signature", _octets(64, 64)),
)
_OUTCOME: Final = _struct(
    "EntryOutcome",
    Field("seq", _INT64),
    Field("event_id", _text),
    Field("outcome", _one_of(1, 2, 3, 4, 5)),
    Field("reason", _one_of(0, 1, 2, 3, 4, 5, 6, 7, 8), default=0),
    Field("version", _INT64, default=0),
)
_CHANGE: Final = _struct(
    "Change",
    Field("version", _INT64),
    Field("bucket", _text),
    Field("entity", _text),
    Field("entity_id", _text),
    Field("operation", _one_of(1, 2)),
    Field("body", _RECORD_BODY),
    Field("salt", _SALT),
    Field("commitment", _HASH),
    Field("transaction_last", _flag),
)
_RECORD: Final = _struct(
    "SnapshotRecord",
    Field("bucket", _text),
    Field("entity", _text),
    Field("entity_id", _text),
    Field("version", _INT64),
    Field("body", _RECORD_BODY),
    Field("salt", _SALT),
)
_HELLO: Final = _struct(
    "Hello",
    Field("protocol_min", _COUNT),
    Field("protocol_max", _COUNT),
    Field("app_version", _text),
    Field("schema_version", _COUNT),
    Field("incarnation", _text),
    Field("epoch", _text),
    Field("version", _INT64),
    Field("hash", _MAYBE_HASH),
    Field("journal_seq", _INT64),
    Field("journal_hash", _MAYBE_HASH),
    Field("queue_depth", _COUNT),
    Field("wall_ms", _ANY64),
    Field("monotonic_ms", _INT64),
)
_WELCOME: Final = _struct(
    "Welcome",
    Field("protocol", _COUNT),
    Field("epoch", _text),
    Field("head_version", _INT64),
    Field("plan", _one_of(1, 2, 3)),
    Field("stored_seq", _INT64),
    Field("stored_hash", _MAYBE_HASH),
    Field("heartbeat_interval_ms", _COUNT),
    Field("push_entries_max", _COUNT),
    Field("server_wall_ms", _ANY64),
    Field("echo_monotonic_ms", _INT64),
)
_PUSH: Final = _struct("Push", Field("entries", _array(_ENTRY, 1, 500)))
_PUSH_STORED: Final = _struct(
    "PushStored",
    Field("through_seq", _INT64),
    Field("hash", _MAYBE_HASH),
    Field("outcomes", _array(_OUTCOME, 0, 500), default=()),
)
_SNAPSHOT_PART: Final = _struct(
    "SnapshotPart",
    Field("epoch", _text),
    Field("version", _INT64),
    Field("hash", _MAYBE_HASH),
    Field("part", _PART),
    Field("parts", _PART),
    Field("records", _array(_RECORD, 0, 500)),
)
_PAGE: Final = _struct(
    "Page",
    Field("epoch", _text),
    Field("after_version", _INT64),
    Field("to_version", _INT64),
    Field("to_hash", _MAYBE_HASH),
    Field("head_version", _INT64),
    Field("changes", _array(_CHANGE, 0, 500)),
)
_APPLIED: Final = _struct(
    "Applied",
    Field("epoch", _text),
    Field("version", _INT64),
    Field("snapshot_part", _PART, default=0),
    Field("queue_depth", _COUNT, default=0),
)
_HEARTBEAT: Final = _struct("Heartbeat", Field("version", _INT64), Field("queue_depth", _COUNT, default=0))
_ADVICE: Final = _struct("Advice", Field("kind", _one_of(1, 2)), Field("delay_ms", _COUNT))

_FROM_DEVICE: Final = {1: ("Hello", _HELLO), 3: ("Push", _PUSH), 7: ("Applied", _APPLIED), 8: ("Heartbeat", _HEARTBEAT)}
_FROM_SERVER: Final = {
    2: ("Welcome", _WELCOME),
    4: ("PushStored", _PUSH_STORED),
    5: ("SnapshotPart", _SNAPSHOT_PART),
    6: ("Page", _PAGE),
    8: ("Heartbeat", _HEARTBEAT),
    9: ("Advice", _ADVICE),
}


def read_from_device(frame: bytes) -> Message:
    """What a server of protocol 1 reads."""
    return _read(frame, _FROM_DEVICE)


def read_from_server(frame: bytes) -> Message:
    """What a device of protocol 1 reads."""
    return _read(frame, _FROM_SERVER)


def _read(frame: bytes, known: Mapping[int, tuple[str, Read]]) -> Message:
    if len(frame) > FRAME_BYTES_MAX:
        raise UnreadableError(f"a frame of {len(frame)} bytes")
    try:
        value = msgspec.msgpack.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError("no MessagePack") from error
    if not isinstance(value, list) or not value:
        raise UnreadableError("no array with a tag")
    name, read = known.get(_number(0, _INT31)(value[0]), ("", None))
    if read is None:
        raise UnreadableError(f"message {value[0]} is unknown")
    return Message(name, read(value[1:]))
