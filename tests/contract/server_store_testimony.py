"""The part of a server store's contract about witnesses, incidents, and several lives of journals and logs."""

import msgspec
import pytest

from sync.change_log import check_changes
from sync.change_log import genesis as log_genesis
from sync.errors import CloseCode
from sync.events import Cursor
from sync.incidents import INCIDENT_KIND, DeviceIncident, Incident, encode_incident
from sync.intake import WITNESSED_KIND
from sync.journal import Entry, Outcome, ParkReason
from sync.limits import INCIDENT_DETAILS_MAX
from sync.records import Entity, EventRecord, encode_record
from tests.contract.server_world import (
    NOW_MS,
    Desk,
    World,
    changes_after,
    greet,
    head_of,
    make_desk,
    new_id,
    outcomes,
    park_reason,
    push,
    refusal,
)

LONG_AGO_MS = NOW_MS - 86_400_000


def record_of(desk: Desk, entry: Entry) -> EventRecord:
    """What the log once said of an entry that it has lost since."""
    return EventRecord(
        event=msgspec.Raw(entry.body),
        device_id=desk.key.device_id,
        device_name="Old desk",
        incarnation=entry.incarnation,
        seq=entry.seq,
        hlc=entry.hlc,
        received_at_ms=LONG_AGO_MS,
        outcome="applied",
    )


def witness(desk: Desk, record: EventRecord, event_id: str) -> Entry:
    """An entry in which a desk offers a record of its replica."""
    return desk.write(event_id, WITNESSED_KIND, encode_record(record))


def incident_entry(desk: Desk, incident: DeviceIncident) -> Entry:
    """An entry in which a desk tells of itself."""
    return desk.write(incident.event_id, INCIDENT_KIND, encode_incident(incident))


def new_incident(**changes: object) -> DeviceIncident:
    incident = DeviceIncident(
        event_id=new_id(),
        incident=Incident.CLOCK_STEPPED,
        occurred_at_ms=LONG_AGO_MS,
        detail={"step_ms": -3_600_000, "what": '\u00fcber\\u0000 "q" \''},
    )
    return msgspec.structs.replace(incident, **changes)


async def records(world: World, desk: Desk) -> list[EventRecord]:
    """The event records of the log, in its order."""
    changes = await changes_after(world, desk, 0)
    return [msgspec.json.decode(one.body, type=EventRecord) for one in changes if one.entity == Entity.EVENT]


class TestimonyContract:
    """A witness gives back what was; an incident is kept for people; lives of journals and logs are told apart."""

    # -- witnesses

    async def test_a_witnessed_fact_stands_as_the_desk_that_recorded_it_sent_it(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        lost = await make_desk(world, center)
        entry = lost.check_in(child, minute=-1_500)  # before the server, now restored, got it
        answer = await push(world, desk, witness(desk, record_of(lost, entry), entry.event_id))
        assert [(one.outcome, one.version) for one in answer.outcomes] == [(Outcome.APPLIED, 1)]
        (record,) = await records(world, desk)
        assert record == msgspec.structs.replace(record_of(lost, entry), witnessed_by=desk.key.device_id)
        assert bytes(record.event) == entry.body

    async def test_the_desk_itself_comes_after_its_witness_and_is_a_duplicate(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        lost = await make_desk(world, center)
        entry, later = lost.check_in(child), lost.check_out(child, minute=30)
        await push(world, desk, witness(desk, record_of(lost, entry), entry.event_id))
        answer = await push(world, lost, entry, later)
        assert [(one.outcome, one.version) for one in answer.outcomes] == [
            (Outcome.DUPLICATE, 1),
            (Outcome.APPLIED, 2),
        ]

    async def test_what_stands_needs_no_witness(self, world: World, center: str, desk: Desk, child: str) -> None:
        other = await make_desk(world, center)
        entry = other.check_in(child)
        await push(world, other, entry)
        head = await head_of(world, desk)
        answers = [
            await push(world, one, witness(one, record_of(other, entry), entry.event_id)) for one in (desk, other)
        ]
        assert [outcomes(answer) for answer in answers] == [[Outcome.DUPLICATE], [Outcome.DUPLICATE]]
        assert await head_of(world, desk) == head

    async def test_a_witness_against_what_stands_is_parked(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        other = await make_desk(world, center)
        entry = other.check_in(child)
        await push(world, other, entry)
        rival = Desk(other.key, other.private_key).check_in(child, minute=5, event_id=entry.event_id)
        answer = await push(world, desk, witness(desk, record_of(other, rival), entry.event_id))
        assert park_reason(answer) is ParkReason.ID_MISMATCH

    async def test_a_witness_of_another_centre_or_of_nobody_is_parked(
        self, world: World, desk: Desk, child: str
    ) -> None:
        elsewhere = await make_desk(world, await world.make_center())
        foreign, stranger = elsewhere.check_in(child), Desk(desk.key, desk.private_key).check_in(new_id())
        reasons = [
            park_reason(await push(world, desk, witness(desk, record_of(elsewhere, foreign), foreign.event_id))),
            park_reason(await push(world, desk, witness(desk, record_of(desk, stranger), stranger.event_id))),
            park_reason(await push(world, desk, witness(desk, record_of(desk, stranger), new_id()))),
        ]
        assert reasons == [ParkReason.WRONG_CENTER, ParkReason.UNKNOWN_REFERENCE, ParkReason.ID_MISMATCH]

    @pytest.mark.parametrize(
        "change", [{"device_id": "1"}, {"seq": -1}, {"hlc": -1}, {"device_name": "\x00"}, {"incarnation": "a" * 65}]
    )
    async def test_a_witness_with_an_impossible_value_is_parked(
        self, world: World, desk: Desk, child: str, change: dict[str, object]
    ) -> None:
        entry = Desk(desk.key, desk.private_key).check_in(child)
        record = msgspec.structs.replace(record_of(desk, entry), **change)
        answer = await push(world, desk, witness(desk, record, entry.event_id))
        assert park_reason(answer) is ParkReason.IMPOSSIBLE_VALUE

    async def test_an_event_from_after_the_lease_is_parked(self, world: World, desk: Desk, child: str) -> None:
        answer = await push(world, desk, desk.check_in(child, after_lease=True))
        assert park_reason(answer) is ParkReason.LEASE_EXPIRED

    # -- incidents

    async def test_an_incident_is_kept_and_no_device_hears_of_it(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        incident = new_incident()
        answer = await push(
            world, desk, desk.check_in(child), incident_entry(desk, incident), desk.check_out(child, minute=9)
        )
        assert [(one.outcome, one.version) for one in answer.outcomes] == [
            (Outcome.APPLIED, 1),
            (Outcome.APPLIED, 0),
            (Outcome.APPLIED, 2),
        ]
        assert await world.incidents(center) == {incident.event_id: (desk.key.device_id, incident)}
        assert (await head_of(world, desk)).version == 2

    async def test_an_incident_is_told_once(self, world: World, center: str, desk: Desk) -> None:
        incident = new_incident()
        entry = incident_entry(desk, incident)
        first = await push(world, desk, entry)
        assert await push(world, desk, entry) == first
        reborn = Desk(desk.key, desk.private_key)
        again = msgspec.structs.replace(incident, occurred_at_ms=NOW_MS)
        assert outcomes(await push(world, reborn, incident_entry(reborn, again))) == [Outcome.APPLIED]
        assert await world.incidents(center) == {incident.event_id: (desk.key.device_id, incident)}

    @pytest.mark.parametrize("incident", list(Incident))
    async def test_every_incident_is_understood(
        self, world: World, center: str, desk: Desk, incident: Incident
    ) -> None:
        told = new_incident(incident=incident, detail={})
        await push(world, desk, incident_entry(desk, told))
        assert (await world.incidents(center))[told.event_id] == (desk.key.device_id, told)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"event_id":"%s","incident":"meteor","occurred_at_ms":1790000000000}',
            b'{"event_id":"%s","incident":"clock_stepped","occurred_at_ms":1}',
            b'{"event_id":"%s","incident":"clock_stepped","occurred_at_ms":1790000000000,"detail":{"a":"\\u0000"}}',
            b'{"event_id":"%s","incident":"clock_stepped","occurred_at_ms":1790000000000,"detail":{"A name":1}}',
            b'{"event_id":"%s","incident":"clock_stepped","occurred_at_ms":1790000000000,"detail":{'
            + b",".join(b'"a%d":1' % number for number in range(INCIDENT_DETAILS_MAX + 1))
            + b"}}",
        ],
        ids=range(5),
    )
    async def test_an_impossible_incident_is_parked(self, world: World, center: str, desk: Desk, body: bytes) -> None:
        event_id = new_id()
        answer = await push(world, desk, desk.write(event_id, INCIDENT_KIND, body.replace(b"%s", event_id.encode())))
        assert park_reason(answer) is ParkReason.IMPOSSIBLE_VALUE
        assert await world.incidents(center) == {}

    async def test_an_incident_of_a_revoked_device_is_parked(self, world: World, center: str, desk: Desk) -> None:
        await world.revoke(desk.key)
        answer = await push(world, desk, incident_entry(desk, new_incident()))
        assert park_reason(answer) is ParkReason.DEVICE_NOT_ENTITLED
        assert await world.incidents(center) == {}

    async def test_incidents_of_one_centre_are_not_those_of_another(self, world: World, desk: Desk) -> None:
        other = await world.make_center()
        await push(world, desk, incident_entry(desk, new_incident()))
        assert await world.incidents(other) == {}

    # -- several lives of a journal

    async def test_entries_of_a_forked_journal_come_again_under_a_new_incarnation(
        self, world: World, desk: Desk, child: str
    ) -> None:
        clone = Desk(desk.key, desk.private_key, desk.incarnation)
        await push(world, desk, desk.check_in(child))
        lost = clone.check_out(child, minute=30)
        assert (await refusal(world, desk, lost)).code is CloseCode.FORK
        reborn = Desk(desk.key, desk.private_key)
        again = reborn.check_out(child, minute=30, event_id=lost.event_id)
        assert outcomes(await push(world, desk, again)) == [Outcome.APPLIED]
        stood = desk.check_out(child, minute=30, event_id=lost.event_id)
        assert outcomes(await push(world, desk, stood)) == [Outcome.DUPLICATE]

    async def test_each_incarnation_goes_on_by_itself(self, world: World, desk: Desk, child: str) -> None:
        older, newer = desk, Desk(desk.key, desk.private_key)
        for minute in (1, 2):
            for one in (older, newer):
                await push(world, one, one.check_in(child, minute=minute))
        for one in (older, newer):
            loaded = await greet(world, one)
            assert (loaded.stored_seq, loaded.stored_hash) == (2, one.head.hash)

    # -- several lives of a log

    async def test_another_life_of_the_log_goes_on_where_the_first_one_ended(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        before = await head_of(world, desk)
        await world.begin_epoch(center)
        answer = await push(world, desk, desk.check_out(child, minute=30))
        assert [one.version for one in answer.outcomes] == [2]
        after = await head_of(world, desk)
        assert after.epoch != before.epoch
        changes = await changes_after(world, desk, 0)
        assert check_changes(log_genesis(center, before.epoch), changes).hash == after.hash
        assert (await greet(world, desk, before)).cursor is Cursor.FOREIGN
        assert (await greet(world, desk, after)).cursor is Cursor.OURS
        assert (await greet(world, desk)).stored_seq == 2
