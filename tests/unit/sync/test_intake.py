"""How entries become facts: each outcome, each reason to park, and what one entry means for the next."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.change_log import Operation
from sync.incidents import INCIDENT_KIND, DeviceIncident, Incident, encode_incident
from sync.intake import WITNESSED_KIND, Decision, Intake, Origin, StoredFact, fact_of, fact_of_record
from sync.journal import Draft, Entry, Outcome, ParkReason, genesis, seal
from sync.limits import ENTRY_BODY_BYTES_MAX, WALL_MS_MAX, WALL_MS_MIN
from sync.records import EventRecord, encode_record
from tests.unit.sync.builders import CENTER, DEVICE, INCARNATION, came, draft, event, left, sign, uuid_of

ORIGIN = Origin(device_id=DEVICE, device_name="Front door", is_entitled=True, received_at_ms=1_790_000_001_000)
CHILD_TWO = uuid_of(0xD2)


def intake(stored: Iterable[StoredFact] = (), head_version: int = 40) -> Intake:
    known = (event(1).child_id, CHILD_TWO)
    return Intake(
        center_id=CENTER,
        time_zone="Pacific/Auckland",
        head_version=head_version,
        known_children=known,
        stored=stored,
    )


def entry_of(drafted: Draft) -> Entry:
    return seal(genesis(DEVICE, INCARNATION), drafted, sign)


def decide(happened: AttendanceEvent, stored: Iterable[StoredFact] = ()) -> Decision:
    return intake(stored).decide(entry_of(draft(happened)), ORIGIN)


# -- what enters the log


def test_an_event_is_applied_at_the_next_version() -> None:
    decision = decide(event(1))
    assert decision.outcome.outcome is Outcome.APPLIED
    assert decision.outcome.reason is ParkReason.NOT_PARKED
    assert decision.outcome.version == 41
    assert (decision.outcome.seq, decision.outcome.event_id) == (1, uuid_of(1))


def test_the_record_holds_the_devices_own_bytes_and_where_they_came_from() -> None:
    entry = entry_of(draft(event(1, adult="Zoë")))
    decision = intake().decide(entry, ORIGIN)
    assert decision.draft is not None
    record = msgspec.json.decode(decision.draft.body, type=EventRecord)
    assert bytes(record.event) == entry.body
    assert (record.device_name, record.seq, record.outcome) == ("Front door", 1, "applied")
    assert record.received_at_ms == ORIGIN.received_at_ms


def test_any_replica_reads_the_same_fact_from_the_record() -> None:
    decision = decide(event(1, offset_ms=7_000))
    assert decision.draft is not None
    record = msgspec.json.decode(decision.draft.body, type=EventRecord)
    assert fact_of_record(record) == decision.fact
    assert decision.fact == fact_of(record, event(1, offset_ms=7_000))


def test_an_event_lives_in_the_bucket_of_its_day_at_the_centre_by_the_servers_clock() -> None:
    midnight_ms = 1_789_992_000_000  # 2026-09-22 00:00 in Auckland, 12:00 the day before in UTC
    happened = msgspec.structs.replace(
        event(1), occurred_at_ms=midnight_ms - 1, recorded_at_ms=midnight_ms - 1, clock_offset_ms=0
    )
    slow = msgspec.structs.replace(happened, event_id=uuid_of(2), clock_offset_ms=3_000)
    buckets = [drafted.bucket for each in (happened, slow) if (drafted := decide(each).draft)]
    assert buckets == ["day:2026-09-21", "day:2026-09-22"]


def test_each_event_is_a_unit_of_its_own() -> None:
    drafted = decide(event(1)).draft
    assert drafted is not None
    assert drafted.ends_unit
    assert (drafted.operation, drafted.entity, drafted.entity_id) == (Operation.PUT, "event", uuid_of(1))


def test_an_event_that_stands_already_is_a_duplicate_at_its_own_version() -> None:
    decision = decide(event(1), stored=[StoredFact(came(1, 0, desk="B"), 7)])
    assert decision.outcome.outcome is Outcome.DUPLICATE
    assert decision.outcome.version == 7
    assert decision.draft is None
    assert decision.fact is None


def test_a_contradiction_stands_and_is_a_conflict() -> None:
    decision = decide(event(2, minute=30), stored=[StoredFact(came(1, 0, desk="B"), 7)])
    assert decision.outcome.outcome is Outcome.CONFLICT
    assert decision.draft is not None
    assert decision.fact is not None


def test_what_was_contradictory_before_is_not_held_against_the_next_event() -> None:
    stored = [StoredFact(came(1, 0), 7), StoredFact(came(2, 30, desk="B"), 8)]
    assert decide(event(3, minute=31), stored).outcome.outcome is Outcome.CONFLICT
    assert decide(event(3, minute=1), stored).outcome.outcome is Outcome.APPLIED


def test_another_childs_events_contradict_nothing() -> None:
    decision = decide(event(2, minute=30, child_id=CHILD_TWO), stored=[StoredFact(came(1, 0), 7)])
    assert decision.outcome.outcome is Outcome.APPLIED


# -- what is parked


def parked(drafted: Draft, origin: Origin = ORIGIN) -> ParkReason:
    entry = entry_of(drafted)
    decision = intake().decide(entry, origin)
    assert decision.outcome.outcome is Outcome.PARKED
    assert decision.outcome.version == 0
    assert decision.draft is None
    assert decision.fact is None
    assert decision.entry is entry
    return decision.outcome.reason


def test_a_device_that_is_not_entitled_is_heard_and_parked() -> None:
    origin = msgspec.structs.replace(ORIGIN, is_entitled=False)
    assert parked(draft(event(1)), origin) is ParkReason.DEVICE_NOT_ENTITLED


def test_a_kind_of_a_newer_kiosk_is_parked() -> None:
    assert parked(draft(event(1), kind="nap_began")) is ParkReason.UNKNOWN_KIND


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5_000, encode_event(event(1))[:-1] + b',"later":"\xff"}'])
def test_a_body_that_is_no_json_in_utf8_is_unreadable(body: bytes) -> None:
    assert parked(draft(event(1), body=body)) is ParkReason.UNREADABLE


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", encode_event(event(1)).replace(b"179", b"-79")])
def test_json_that_no_event_can_be_holds_an_impossible_value(body: bytes) -> None:
    assert parked(draft(event(1), body=body)) is ParkReason.IMPOSSIBLE_VALUE


def test_a_clock_offset_that_leads_out_of_all_time_is_an_impossible_value() -> None:
    assert parked(draft(event(1, offset_ms=WALL_MS_MAX))) is ParkReason.IMPOSSIBLE_VALUE


def test_a_child_that_is_not_on_file_is_an_unknown_reference() -> None:
    assert parked(draft(event(1, child_id=uuid_of(0xDD)))) is ParkReason.UNKNOWN_REFERENCE


def test_an_event_of_another_centre_is_parked() -> None:
    assert parked(draft(event(1, center_id=uuid_of(0xCC)))) is ParkReason.WRONG_CENTER


def test_a_body_that_names_another_event_or_kind_is_a_mismatch() -> None:
    other_event, other_kind = encode_event(event(2)), encode_event(event(1, kind=EventKind.CHECK_OUT))
    assert parked(draft(event(1), body=other_event)) is ParkReason.ID_MISMATCH
    assert parked(draft(event(1), body=other_kind)) is ParkReason.ID_MISMATCH


def test_another_testimony_under_an_id_that_is_taken_is_a_mismatch_and_no_repeat() -> None:
    decision = decide(event(1, adult="Ann"), stored=[StoredFact(came(1, 0, desk="B"), 7)])
    assert decision.outcome.outcome is Outcome.PARKED
    assert decision.outcome.reason is ParkReason.ID_MISMATCH
    assert decision.draft is None


def test_a_body_that_is_too_large_is_parked() -> None:
    spaces = b" " * ENTRY_BODY_BYTES_MAX
    assert parked(draft(event(1), body=encode_event(event(1)) + spaces)) is ParkReason.TOO_LARGE


def test_every_reason_to_park_has_its_test() -> None:
    assert {reason.name for reason in ParkReason} == {
        "NOT_PARKED",
        "UNKNOWN_KIND",
        "UNREADABLE",
        "IMPOSSIBLE_VALUE",
        "UNKNOWN_REFERENCE",
        "WRONG_CENTER",
        "ID_MISMATCH",
        "DEVICE_NOT_ENTITLED",
        "TOO_LARGE",
        "LEASE_EXPIRED",
        "OTHER",
    }


# -- one push


def test_a_parked_entry_takes_no_version_and_stands_in_nobodys_way() -> None:
    deciding = intake()
    drafts = [draft(event(1)), draft(event(2), body=b"{"), draft(event(3, child_id=CHILD_TWO))]
    decisions = [deciding.decide(entry_of(each), ORIGIN) for each in drafts]
    assert [each.outcome.outcome for each in decisions] == [Outcome.APPLIED, Outcome.PARKED, Outcome.APPLIED]
    assert [each.outcome.version for each in decisions] == [41, 0, 42]


def test_entries_see_the_ones_before_them_in_the_same_push() -> None:
    deciding = intake()
    drafts = [draft(event(1)), draft(event(1)), draft(event(2, minute=30))]
    outcomes = [deciding.decide(entry_of(each), ORIGIN).outcome.outcome for each in drafts]
    assert outcomes == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.CONFLICT]


def test_the_order_of_arrival_decides_which_entry_is_told_of_the_conflict() -> None:
    early, late = draft(event(1)), draft(event(2, minute=30))
    for first, second in ((early, late), (late, early)):
        deciding = intake()
        assert deciding.decide(entry_of(first), ORIGIN).outcome.outcome is Outcome.APPLIED
        assert deciding.decide(entry_of(second), ORIGIN).outcome.outcome is Outcome.CONFLICT


def test_a_check_out_after_its_check_in_is_applied() -> None:
    happened = left(2, 300).event
    assert decide(happened, stored=[StoredFact(came(1, 0), 7)]).outcome.outcome is Outcome.APPLIED


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_whatever_the_bodies_hold_every_entry_gets_one_outcome(bodies: list[bytes]) -> None:
    deciding = intake()
    for body in bodies:
        decision = deciding.decide(entry_of(draft(event(1), body=body)), ORIGIN)
        assert decision.outcome.outcome is Outcome.PARKED


# -- what another desk puts back


RECORD = EventRecord(
    event=msgspec.Raw(encode_event(event(7, minute=3))),
    device_id=uuid_of(0xE2),
    device_name="Back door",
    incarnation="lost",
    seq=12,
    hlc=99,
    received_at_ms=1_790_000_000_500,
    outcome="conflict",
)


def witnessed(record: EventRecord = RECORD, *, event_id: str = uuid_of(7), body: bytes | None = None) -> Entry:
    told = msgspec.structs.replace(draft(event(7)), event_id=event_id, kind=WITNESSED_KIND)
    return entry_of(msgspec.structs.replace(told, body=encode_record(record) if body is None else body))


def test_a_witnessed_fact_comes_back_as_it_was_and_says_who_vouched_for_it() -> None:
    decision = intake().decide(witnessed(), ORIGIN)
    assert decision.outcome.outcome is Outcome.APPLIED
    assert decision.record == msgspec.structs.replace(RECORD, outcome="applied", witnessed_by=DEVICE)
    assert decision.fact is not None
    fact = decision.fact
    assert (fact.device_id, fact.incarnation, fact.seq, fact.hlc) == (uuid_of(0xE2), "lost", 12, 99)
    assert decision.draft is not None
    assert msgspec.json.decode(decision.draft.body, type=EventRecord) == decision.record


def test_a_witnessed_fact_that_stands_is_a_duplicate() -> None:
    known = intake()
    assert known.decide(witnessed(), ORIGIN).outcome.version == 41
    again = known.decide(witnessed(), ORIGIN)
    assert (again.outcome.outcome, again.outcome.version, again.draft) == (Outcome.DUPLICATE, 41, None)


def test_the_desk_that_recorded_it_sends_a_duplicate_of_what_was_witnessed() -> None:
    known = intake()
    known.decide(witnessed(), ORIGIN)
    own = known.decide(entry_of(draft(event(7, minute=3))), ORIGIN)
    assert own.outcome.outcome is Outcome.DUPLICATE


def test_another_testimony_under_the_id_of_a_standing_fact_is_parked() -> None:
    known = intake()
    known.decide(witnessed(), ORIGIN)
    other = msgspec.structs.replace(RECORD, event=msgspec.Raw(encode_event(event(7, minute=4))))
    assert known.decide(witnessed(other), ORIGIN).outcome.reason is ParkReason.ID_MISMATCH


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device_id": "no id"}, ParkReason.IMPOSSIBLE_VALUE),
        ({"incarnation": "x" * 65}, ParkReason.IMPOSSIBLE_VALUE),
        ({"device_name": "two\nlines"}, ParkReason.IMPOSSIBLE_VALUE),
        ({"seq": -1}, ParkReason.IMPOSSIBLE_VALUE),
        ({"hlc": -1}, ParkReason.IMPOSSIBLE_VALUE),
        ({"event": msgspec.Raw(b"[]")}, ParkReason.IMPOSSIBLE_VALUE),
        ({"event": msgspec.Raw(encode_event(event(8)))}, ParkReason.ID_MISMATCH),
        ({"event": msgspec.Raw(encode_event(event(7, child_id=uuid_of(0xDD))))}, ParkReason.UNKNOWN_REFERENCE),
        ({"event": msgspec.Raw(encode_event(event(7, center_id=uuid_of(0xCC))))}, ParkReason.WRONG_CENTER),
    ],
)
def test_a_witness_is_judged_like_everybody_else(changes: dict[str, object], reason: ParkReason) -> None:
    decision = intake().decide(witnessed(msgspec.structs.replace(RECORD, **changes)), ORIGIN)
    assert (decision.outcome.outcome, decision.outcome.reason) == (Outcome.PARKED, reason)


def test_a_time_of_receipt_that_cannot_be_is_bounded() -> None:
    decision = intake().decide(witnessed(msgspec.structs.replace(RECORD, received_at_ms=0)), ORIGIN)
    assert decision.record is not None
    assert decision.record.received_at_ms == WALL_MS_MIN


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{", ParkReason.UNREADABLE), (b"\xff", ParkReason.UNREADABLE), (b"{}", ParkReason.IMPOSSIBLE_VALUE)],
)
def test_a_witnessed_entry_that_holds_no_record_is_parked(body: bytes, reason: ParkReason) -> None:
    assert intake().decide(witnessed(body=body), ORIGIN).outcome.reason is reason


# -- what a device says of itself


def incident_entry(*, event_id: str = uuid_of(5)) -> Entry:
    body = encode_incident(
        DeviceIncident(event_id=uuid_of(5), incident=Incident.RECONCILED, occurred_at_ms=1_790_000_000_000)
    )
    return entry_of(msgspec.structs.replace(draft(event(5)), event_id=event_id, kind=INCIDENT_KIND, body=body))


def test_an_incident_is_kept_for_people_and_enters_no_log() -> None:
    decision = intake().decide(incident_entry(), ORIGIN)
    assert decision.incident is not None
    assert decision.incident.incident is Incident.RECONCILED
    assert (decision.outcome.outcome, decision.outcome.version, decision.draft) == (Outcome.APPLIED, 0, None)


def test_an_incident_under_another_id_is_parked() -> None:
    assert intake().decide(incident_entry(event_id=uuid_of(6)), ORIGIN).outcome.reason is ParkReason.ID_MISMATCH


def test_what_a_revoked_device_says_of_itself_is_parked_too() -> None:
    revoked = msgspec.structs.replace(ORIGIN, is_entitled=False)
    for entry in (incident_entry(), witnessed()):
        assert intake().decide(entry, revoked).outcome.reason is ParkReason.DEVICE_NOT_ENTITLED


# -- after the lease


def test_an_event_from_behind_the_lease_waits_for_a_person() -> None:
    late = msgspec.structs.replace(event(1), after_lease=True)
    assert decide(late).outcome.reason is ParkReason.LEASE_EXPIRED


# -- one intake for several transactions


def test_what_was_learnt_later_counts_as_if_it_had_been_known_from_the_beginning() -> None:
    first = came(1, minute=0)
    again = came(2, minute=40)
    late = intake([StoredFact(first, 7)])
    late.decide(entry_of(draft(event(3, minute=5, kind=EventKind.CHECK_OUT))), ORIGIN)
    late.learn(known_children=[CHILD_TWO], stored=[StoredFact(again, 8), StoredFact(first, 7)])
    assert len(late) == 3
    whole = intake([StoredFact(first, 7), StoredFact(again, 8)])
    whole.decide(entry_of(draft(event(3, minute=5, kind=EventKind.CHECK_OUT))), ORIGIN)
    last = entry_of(draft(event(4, minute=90)))
    assert late.decide(last, ORIGIN).outcome == whole.decide(last, ORIGIN).outcome
