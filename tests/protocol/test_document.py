"""docs/protocol.md says what the code does: fields, numbers, bounds, states and test vectors are compared."""

import re
from enum import IntEnum
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from sync import (
    device_session,
    device_uploads,
    errors,
    limits,
    messages,
    push_size,
    server_session,
)
from sync.attendance import AttendanceEvent, Correction, EventKind
from sync.attendance_events import fields_of_kind
from sync.change_log import Change, Operation
from sync.errors import NEEDS_A_PERSON, CloseCode
from sync.incidents import INCIDENT_KIND, DeviceIncident, Incident
from sync.intake import WITNESSED_KIND
from sync.journal import Entry, EntryOutcome, Outcome, ParkReason
from sync.messages import AdviceKind, Applied, Heartbeat, Plan, Proof, Push, SnapshotRecord
from sync.ratio_rules import RatioBand, RatioRelaxation, RatioRuleSet
from sync.records import (
    RECORD_TYPES,
    AbsenceRecord,
    AlertRecord,
    ClosureRecord,
    Entity,
    LockRecord,
    PinRecord,
    StatusChange,
)
from tests.protocol.document import TEXT, Row, section, table
from tests.protocol.protocol_one import FIELDS as PROTOCOL_ONE_FIELDS

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
    messages.Challenge,
    messages.Proof,
    messages.RepairRequest,
    messages.ForkFound,
)
NESTED = (
    Entry,
    EntryOutcome,
    Change,
    SnapshotRecord,
    messages.BucketDigest,
    messages.JournalPosition,
    messages.StagedSnapshot,
)
BODIES = (
    *RECORD_TYPES.values(),
    AbsenceRecord,
    AlertRecord,
    ClosureRecord,
    LockRecord,
    PinRecord,
    StatusChange,
    RatioRuleSet,
    RatioBand,
    RatioRelaxation,
    AttendanceEvent,
    Correction,
    DeviceIncident,
)
ENUMS: tuple[type[IntEnum], ...] = (Plan, Outcome, ParkReason, AdviceKind, Operation)
_POWERS = {2**63 - 1: "2^63-1", -(2**63 - 1): "-(2^63-1)", 2**31 - 1: "2^31-1"}


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
    if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
        return "left out"
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    match default:
        case msgspec.Struct():
            return msgspec.json.encode(msgspec.structs.astuple(default)).decode().replace(",", ", ")
        case bytes():
            return f'b"{default.hex()}"'
        case _:
            return msgspec.json.encode(default).decode()


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
    device = {each.__name__ for each in (messages.Hello, Push, Applied, Heartbeat, Proof, messages.RepairRequest)}
    assert {name for name, who in sender.items() if who in ("device", "both")} == device
    assert [name for name, who in sender.items() if who == "both"] == ["Heartbeat"]


@pytest.mark.parametrize("struct", [*MESSAGES, *NESTED], ids=lambda struct: struct.__name__)
def test_what_came_with_protocol_2_is_marked_and_nothing_else(struct: type[msgspec.Struct]) -> None:
    text = section(struct.__name__)
    if re.search(r"^.*[Ss]ince 2\.$", text.split("|", 1)[0], re.MULTILINE):
        assert struct.__name__ not in PROTOCOL_ONE_FIELDS
        return
    marked = {row[1] for row in table(text) if row[6].startswith("since 2")}
    assert {row[1] for row in table(text)} - marked == set(PROTOCOL_ONE_FIELDS[struct.__name__])


@pytest.mark.parametrize("struct", BODIES, ids=lambda struct: struct.__name__)
def test_every_field_of_a_body_is_documented(struct: type[msgspec.Struct]) -> None:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    told = [row[:3] for row in table(section(struct.__name__))]
    assert told == [(field.encode_name, json_type(field.type), _default(field)) for field in info.fields]


def json_type(info: inspect.Type) -> str:
    """How the document writes what a field is in JSON."""
    match info:
        case inspect.UnionType(types):
            return " or ".join(json_type(each) for each in types)
        case inspect.VarTupleType(item):
            return f"array of {json_type(item)}"
        case inspect.StructType(cls):
            return cls.__name__
    names: dict[type[inspect.Type], str] = {
        inspect.StrType: "string",
        inspect.EnumType: "string",
        inspect.IntType: "number",
        inspect.BoolType: "boolean",
        inspect.NoneType: "null",
        inspect.DictType: "object",
        inspect.RawType: "any",
    }
    return names[type(info)]


def test_every_kind_of_entry_is_documented() -> None:
    told = [row[0] for row in table(section("Kinds of entries"))]
    assert told == [*EventKind, WITNESSED_KIND, INCIDENT_KIND]


def test_what_each_kind_must_and_may_say_is_documented() -> None:
    text = section("AttendanceEvent")
    rows = table(text[text.index("| kind | must say |") :])
    told = [(kind, must.replace("`", ""), may.replace("`", "")) for kind, must, may in rows]
    assert told == [(kind, *(", ".join(names) for names in fields_of_kind(kind))) for kind in EventKind]


def test_every_incident_is_documented() -> None:
    text = section("DeviceIncident")
    told = [row[0] for row in table(text[text.index("| incident |") :])]
    assert told == list(Incident)


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
        ("The device", [*device_session.State, *device_uploads.Upload]),
        ("The server", [*server_session.State]),
    ],
)
def test_every_state_is_drawn(heading: str, states: list[Any]) -> None:
    drawn = section(heading)
    assert [state.name for state in states if not re.search(rf"\b{state.name}\b", drawn)] == []


def test_no_state_is_drawn_that_does_not_exist() -> None:
    drawn = set(re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)*\b", "".join(_drawings(section("State machines")))))
    kinds = (device_session.State, device_uploads.Upload, server_session.State, Plan)
    assert drawn <= {member.name for kind in kinds for member in kind}


def _drawings(text: str) -> list[str]:
    return re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_entity_is_named() -> None:
    told = [row[0] for row in table(section("Entities and buckets"))]
    assert told == [entity.value for entity in Entity]


def test_the_subprotocol_is_the_one_that_is_offered() -> None:
    assert f"`{limits.SUBPROTOCOL}`" in TEXT


def test_every_exception_that_closes_a_link_has_a_documented_code() -> None:
    violation, garbage = errors.ProtocolViolation("x"), errors.UndecodableMessage("x")
    told = {row[0] for row in table(section("Close codes"))}
    assert {str(violation.code.value), str(garbage.code.value)} <= told
