"""docs/protocol.md says what the code does: fields, numbers, bounds, states and test vectors are compared."""

import hashlib
import json
import re
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import inspect

from sync import change_log, device_session, errors, journal, limits, messages, push_size, server_session
from sync.change_log import Change, ChangeDraft, Operation
from sync.codec import encode
from sync.errors import NEEDS_A_PERSON, CloseCode
from sync.journal import Draft, Entry, EntryOutcome, Outcome, ParkReason
from sync.messages import AdviceKind, Applied, Heartbeat, Plan, Push, PushStored, SnapshotRecord
from sync.records import Entity

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
MESSAGES = (
    messages.Hello,
    messages.Welcome,
    messages.Push,
    messages.PushStored,
    messages.SnapshotPart,
    messages.Page,
    messages.Applied,
    messages.Heartbeat,
    messages.Advice,
)
NESTED = (Entry, EntryOutcome, Change, SnapshotRecord)
ENUMS: tuple[type[IntEnum], ...] = (Plan, Outcome, ParkReason, AdviceKind, Operation)
_POWERS = {2**63 - 1: "2^63-1", -(2**63 - 1): "-(2^63-1)", 2**31 - 1: "2^31-1"}

Row = tuple[str, ...]


def section(heading: str) -> str:
    """The text below a heading up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", TEXT, re.MULTILINE)
    assert found, f"docs/protocol.md has no section {heading!r}"
    rest = TEXT[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def table(text: str) -> list[Row]:
    """The cells of the first table of a text, without its heading."""
    lines = re.search(r"(^\|.*\n)+", text, re.MULTILINE)
    assert lines, "a table is missing"
    rows = [tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in lines[0].splitlines()]
    return rows[2:]


def kind_and_bound(info: inspect.Type) -> tuple[str, str]:
    """How the document writes a type and its bound."""
    match info:
        case inspect.IntType():
            return "int", f"{_number(info.ge)} .. {_number(info.le)}"
        case inspect.StrType():
            return "text", f"<= {info.max_length} characters"
        case inspect.BytesType() if info.min_length:
            return "bytes", f"= {info.min_length} bytes"
        case inspect.BytesType():
            return "bytes", f"<= {info.max_length} bytes"
        case inspect.BoolType():
            return "bool", ""
        case inspect.EnumType(cls):
            return cls.__name__, ""
        case inspect.VarTupleType():
            return f"array of {kind_and_bound(info.item_type)[0]}", f"{info.min_length or 0} .. {info.max_length}"
        case inspect.StructType(cls):
            return cls.__name__, ""
    raise NotImplementedError(info)


def _number(value: float | None) -> str:
    assert value is not None, "every number on the wire has a bound"
    return _POWERS.get(int(value), str(int(value)))


def fields_of(struct: type[msgspec.Struct]) -> list[Row]:
    """Position, name, type, bound and default of each field, as the document must list them."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    first = 0 if info.tag is None else 1
    return [
        (str(position), field.name, *kind_and_bound(field.type), _default(field))
        for position, field in enumerate(info.fields, start=first)
    ]


def _default(field: inspect.Field) -> str:
    if field.required:
        return "-"
    if isinstance(field.default, IntEnum):
        return str(field.default.value)
    return "[]" if field.default in ((), msgspec.NODEFAULT) else str(field.default)


@pytest.mark.parametrize("struct", [*MESSAGES, *NESTED], ids=lambda struct: struct.__name__)
def test_every_field_is_documented_in_its_place(struct: type[msgspec.Struct]) -> None:
    told = [row[:5] for row in table(section(struct.__name__))]
    assert told == fields_of(struct)


@pytest.mark.parametrize("struct", [*MESSAGES, *NESTED], ids=lambda struct: struct.__name__)
def test_every_field_says_what_it_means_and_every_number_in_which_unit(struct: type[msgspec.Struct]) -> None:
    for row in table(section(struct.__name__)):
        *_, unit, meaning = row
        assert len(row) == 7
        assert meaning, row
        assert unit or row[2] != "int", row


def test_the_list_of_messages_is_the_one_that_is_sent() -> None:
    told = {(row[0], row[1]) for row in table(section("Messages"))}
    tags = {(str(inspect.type_info(each).tag), each.__name__) for each in MESSAGES}  # type: ignore[attr-defined]
    assert told == tags


def test_who_may_send_what_is_documented() -> None:
    sender = {row[1]: row[2] for row in table(section("Messages"))}
    device = {each.__name__ for each in (messages.Hello, Push, Applied, Heartbeat)}
    assert {name for name, who in sender.items() if who in ("device", "both")} == device
    assert [name for name, who in sender.items() if who == "both"] == ["Heartbeat"]


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_number_of_an_enumeration_is_documented(enum: type[IntEnum]) -> None:
    told = [(row[0], row[1]) for row in table(section(enum.__name__))]
    assert told == [(str(member.value), member.name) for member in enum]


def test_every_close_code_is_documented_with_what_each_side_does_next() -> None:
    rows = table(section("Close codes"))
    assert sorted((row[0], row[1]) for row in rows) == sorted((str(c.value), c.name) for c in CloseCode)
    assert all(row[2] and row[3] and row[4] for row in rows)


def test_the_codes_that_need_a_person_are_marked() -> None:
    marked = {row[1] for row in table(section("Close codes")) if row[5] == "yes"}
    assert marked == {code.name for code in NEEDS_A_PERSON}


def test_every_limit_is_documented_with_its_value() -> None:
    told = {row[0]: row[1] for row in table(section("Limits"))}
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert told == {name: str(value) for name, value in values.items()}


def test_the_numbers_of_the_push_size_are_documented() -> None:
    told = {row[0]: row[1] for row in table(section("Flow control"))}
    assert told == {
        "first push": f"{push_size.FIRST_PUSH_ENTRIES} entries",
        "doubled when answered within": f"{push_size.QUICK_ACKNOWLEDGEMENT_MS} ms",
        "halved when answered after": f"{push_size.SLOW_ACKNOWLEDGEMENT_MS} ms",
        "delay advised when the store fails": f"{server_session.STORE_RETRY_MS} ms",
    }


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("The device", [*device_session.State, *device_session.Upload]),
        ("The server", [*server_session.State]),
    ],
)
def test_every_state_is_drawn(heading: str, states: list[Any]) -> None:
    drawn = section(heading)
    assert [state.name for state in states if not re.search(rf"\b{state.name}\b", drawn)] == []


def test_no_state_is_drawn_that_does_not_exist() -> None:
    drawn = set(re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)*\b", "".join(_drawings(section("State machines")))))
    kinds = (device_session.State, device_session.Upload, server_session.State, Plan)
    assert drawn <= {member.name for kind in kinds for member in kind}


def _drawings(text: str) -> list[str]:
    return re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_entity_is_named() -> None:
    told = [row[0] for row in table(section("Entities and buckets"))]
    assert told == [entity.value for entity in Entity]


def test_the_subprotocol_is_the_one_that_is_offered() -> None:
    assert f"`{limits.SUBPROTOCOL}`" in TEXT


# -- vectors


def vectors(told: dict[str, Any]) -> dict[str, str]:
    """Compute every vector from the inputs that the document gives."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["private_key"]))
    head = journal.genesis(told["device_id"], told["incarnation"])
    found = {
        "public key": key.public_key().public_bytes_raw().hex(),
        "journal genesis": head.hash.hex(),
    }
    entries = []
    for number, fields in enumerate(told["entries"], start=1):
        drafted = Draft(**{**fields, "body": fields["body"].encode()})
        entry = journal.seal(head, drafted, key.sign)
        found[f"entry {number}: canonical"] = journal.canonical(entry).hex()
        found[f"entry {number}: hash"] = entry.hash.hex()
        found[f"entry {number}: signature"] = entry.signature.hex()
        head = journal.head_after(entry)
        entries.append(entry)
    return found | _log_vectors(told) | _frame_vectors(entries)


def _log_vectors(told: dict[str, Any]) -> dict[str, str]:
    head = change_log.genesis(told["center_id"], told["epoch"])
    found = {"log genesis": head.hash.hex()}
    drafts = [
        ChangeDraft(**{**fields, "body": fields["body"].encode(), "operation": Operation(fields["operation"])})
        for fields in told["changes"]
    ]
    _, rows = change_log.number(head, drafts, [bytes.fromhex(salt) for salt in told["salts"]])
    for row in rows:
        found[f"version {row.change.version}: commitment"] = row.change.commitment.hex()
        found[f"version {row.change.version}: hash"] = row.hash.hex()
    return found


def _frame_vectors(entries: list[Entry]) -> dict[str, str]:
    last = entries[-1]
    outcomes = (
        EntryOutcome(1, entries[0].event_id, Outcome.APPLIED, ParkReason.NOT_PARKED, 41),
        EntryOutcome(2, last.event_id, Outcome.PARKED, ParkReason.UNKNOWN_REFERENCE, 0),
    )
    return {
        "frame: Heartbeat(version=300, queue_depth=2)": encode(Heartbeat(version=300, queue_depth=2)).hex(),
        'frame: Applied(epoch="e", version=7)': encode(Applied(epoch="e", version=7)).hex(),
        "frame: Push of both entries": encode(Push(tuple(entries))).hex(),
        "frame: PushStored, applied at 41 and parked for UNKNOWN_REFERENCE": encode(
            PushStored(through_seq=2, hash=last.hash, outcomes=outcomes)
        ).hex(),
    }


def test_the_vectors_are_what_the_code_computes() -> None:
    inputs = re.search(r"^```json\n(.*?)^```", section("Test vectors"), re.MULTILINE | re.DOTALL)
    assert inputs
    told = {row[0]: row[1] for row in table(section("Test vectors"))}
    assert told == vectors(json.loads(inputs[1]))


def test_the_hashes_are_what_the_prose_says() -> None:
    """Recompute the first of each kind by hand, so that code and document cannot be wrong together."""
    inputs = re.search(r"^```json\n(.*?)^```", section("Test vectors"), re.MULTILINE | re.DOTALL)
    assert inputs
    given = json.loads(inputs[1])
    told = {row[0]: bytes.fromhex(row[1]) for row in table(section("Test vectors"))}
    device, life = given["device_id"].encode(), given["incarnation"].encode()
    assert told["journal genesis"] == _sha(b"rollcall.journal.v1\0" + device + b"\0" + life)
    assert told["entry 1: hash"] == _sha(told["journal genesis"] + told["entry 1: canonical"])
    assert told["entry 2: hash"] == _sha(told["entry 1: hash"] + told["entry 2: canonical"])
    center, epoch = given["center_id"].encode(), given["epoch"].encode()
    assert told["log genesis"] == _sha(b"rollcall.change_log.v1\0" + center + b"\0" + epoch)
    change = given["changes"][0]
    commitment = _sha(bytes.fromhex(given["salts"][0]) + change["body"].encode())
    assert told["version 1: commitment"] == commitment
    entity, entity_id = change["entity"].encode(), change["entity_id"].encode()
    chained = b"".join(
        (
            told["log genesis"],
            (1).to_bytes(8, "big"),
            len(entity).to_bytes(2, "big"),
            entity,
            len(entity_id).to_bytes(2, "big"),
            entity_id,
            b"\x01",
            commitment,
        )
    )
    assert told["version 1: hash"] == _sha(chained)


def _sha(material: bytes) -> bytes:
    return hashlib.sha256(material).digest()


def test_every_exception_that_closes_a_link_has_a_documented_code() -> None:
    violation, garbage = errors.ProtocolViolation("x"), errors.UndecodableMessage("x")
    told = {row[0] for row in table(section("Close codes"))}
    assert {str(violation.code.value), str(garbage.code.value)} <= told
