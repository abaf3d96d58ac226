"""The server's half of a link: every state against every event.

`impossible` is a defect of our own shell and never of the peer; a `close` is how a peer that broke the rules is met.
"""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.effects import Lane
from sync.errors import CloseCode
from sync.messages import Applied, DeviceMessage, Heartbeat, Proof, Push, RepairRequest
from sync.server_session import State
from tests.unit.sync.builders import EPOCH, journal_of
from tests.unit.sync.table import table_of, written
from tests.unit.sync.talk import HEAD_VERSION, Hall, loaded, outcomes_of, page_loaded, with_fields

ENTRIES = journal_of(3)
NONCE = b"n" * 32
GOOD_FOR_MS = 900_000
SNAPSHOT = on.SnapshotLoaded(head=Head(EPOCH, HEAD_VERSION, bytes(32)), frames=(b"1", b"2"))
BUCKET = on.BucketLoaded(head=Head(EPOCH, HEAD_VERSION, bytes(32)), frames=(b"1",))


def opened() -> Hall:
    hall = Hall()
    hall.on(on.LinkOpened(GOOD_FOR_MS))
    return hall


def loading_the_device() -> Hall:
    hall = opened()
    hall.hears(hall.hello)
    return hall


def welcomed(device: on.DeviceLoaded) -> Hall:
    hall = loading_the_device()
    hall.on(device)
    return hall


def following() -> Hall:
    return welcomed(loaded())


def loading_a_page() -> Hall:
    return welcomed(loaded(head=HEAD_VERSION + 1))


def snapshot_sent() -> Hall:
    hall = welcomed(loaded(cursor=on.Cursor.NONE))
    hall.on(SNAPSHOT)
    return hall


def loading_a_bucket() -> Hall:
    hall = following()
    hall.hears(RepairRequest("reference"))
    return hall


def bucket_sent() -> Hall:
    hall = loading_a_bucket()
    hall.on(BUCKET)
    return hall


def storing() -> Hall:
    hall = following()
    hall.hears(Push(ENTRIES))
    return hall


def challenging() -> Hall:
    hall = making_a_nonce()
    hall.on(on.ChallengeIssued(NONCE))
    return hall


def making_a_nonce() -> Hall:
    hall = Hall()
    hall.on(on.LinkOpened(6_000))
    hall.hears(hall.hello)
    hall.on(loaded())
    assert hall.at(3_000) == (do.IssueChallenge(),)
    return hall


def checking_a_proof() -> Hall:
    hall = challenging()
    hall.hears(Proof(NONCE, b"s" * 64))
    return hall


STATES: dict[str, Callable[[], Hall]] = {
    "new": Hall,
    "awaiting Hello": opened,
    "loading the device": loading_the_device,
    "following": following,
    "loading a page": loading_a_page,
    "storing a push": storing,
    "making a nonce": making_a_nonce,
    "challenging": challenging,
    "checking a proof": checking_a_proof,
    "loading a bucket": loading_a_bucket,
    "bucket sent": bucket_sent,
    "loading a snapshot": lambda: welcomed(loaded(cursor=on.Cursor.NONE)),
    "snapshot sent": snapshot_sent,
    "upload only": lambda: welcomed(with_fields(loaded(), is_entitled=False)),
}


def hears(message: DeviceMessage) -> Callable[[Hall], Sequence[do.ServerEffect]]:
    return lambda hall: hall.hears(message)


def told(event: on.ServerEvent) -> Callable[[Hall], Sequence[do.ServerEffect]]:
    return lambda hall: hall.on(event)


EVENTS: dict[str, Callable[[Hall], Sequence[do.ServerEffect]]] = {
    "LinkOpened": told(on.LinkOpened()),
    "LinkClosed": told(on.LinkClosed()),
    "TimerFired, early": lambda hall: hall.at(1),
    "TimerFired, heartbeat due": lambda hall: hall.at(5_000),
    "TimerFired, silence": lambda hall: hall.at(14_000),
    "StoreFailed": told(on.StoreFailed(Lane.UPLOAD, "away")),
    "DeviceLoaded": told(loaded()),
    "DeviceLoaded, revoked": told(with_fields(loaded(), is_entitled=False)),
    "BatchStored": told(on.BatchStored(through_seq=3, hash=ENTRIES[-1].hash, outcomes=outcomes_of(ENTRIES))),
    "BatchRefused, a fork": told(on.BatchRefused(CloseCode.FORK, "why")),
    "BatchRefused, a bad signature": told(on.BatchRefused(CloseCode.JOURNAL_INVALID, "why")),
    "PageLoaded": told(page_loaded(HEAD_VERSION, HEAD_VERSION + 1)),
    "PageLoaded of another life": told(page_loaded(HEAD_VERSION, HEAD_VERSION + 1, epoch="another")),
    "SnapshotLoaded": told(SNAPSHOT),
    "BucketLoaded": told(BUCKET),
    "ChallengeIssued": told(on.ChallengeIssued(NONCE)),
    "ProofChecked": told(on.ProofChecked(GOOD_FOR_MS)),
    "ProofChecked, refused": told(on.ProofChecked(0)),
    "Overloaded": told(on.Overloaded(100)),
    "HeadMoved": told(on.HeadMoved(EPOCH, HEAD_VERSION + 5)),
    "HeadMoved of another life": told(on.HeadMoved("another", 1)),
    "RightsLost, revoked": told(on.RightsLost(CloseCode.REVOKED)),
    "RightsLost, signed out": told(on.RightsLost(CloseCode.UNAUTHENTICATED)),
    "DrainRequested": told(on.DrainRequested(100)),
    "frame: garbage": told(on.FrameReceived(b"\xc1")),
    "frame: Hello": lambda hall: hall.hears(hall.hello),
    "frame: Push": hears(Push(ENTRIES)),
    "frame: Applied": hears(Applied(epoch=EPOCH, version=HEAD_VERSION)),
    "frame: Applied, a part": hears(Applied(epoch=EPOCH, version=0, snapshot_part=1)),
    "frame: Heartbeat": hears(Heartbeat(version=HEAD_VERSION, monotonic_ms=1)),
    "frame: Proof": hears(Proof(NONCE, b"s" * 64)),
    "frame: RepairRequest": hears(RepairRequest("reference")),
}

TABLE = """\
LinkOpened: impossible
    new: -
LinkClosed: -
TimerFired, early: -
TimerFired, heartbeat due: SendFrame
    new: -
    awaiting Hello: -
    loading the device: -
    challenging: -
    checking a proof: -
TimerFired, silence: close SILENT
    checking a proof: close UNAUTHENTICATED
StoreFailed: SendFrame + close STORE_UNAVAILABLE
DeviceLoaded: impossible
    loading the device: SendFrame
DeviceLoaded, revoked: impossible
    loading the device: SendFrame
BatchStored: impossible
    storing a push: SendFrame
BatchRefused, a fork: impossible
    storing a push: SendFrame
BatchRefused, a bad signature: impossible
    storing a push: close JOURNAL_INVALID
PageLoaded: impossible
    loading a page: SendFrame
PageLoaded of another life: impossible
    loading a page: close COME_BACK_LATER
SnapshotLoaded: impossible
    loading a snapshot: SendFrame + SendFrame
BucketLoaded: impossible
    loading a bucket: SendFrame
ChallengeIssued: impossible
    making a nonce: SendFrame
ProofChecked: impossible
    checking a proof: -
ProofChecked, refused: impossible
    checking a proof: close UNAUTHENTICATED
Overloaded: SendFrame
    new: -
    awaiting Hello: -
    loading the device: -
HeadMoved: -
    following: LoadPage
    storing a push: LoadPage
    making a nonce: LoadPage
    challenging: LoadPage
    checking a proof: LoadPage
HeadMoved of another life: close COME_BACK_LATER
    new: -
    awaiting Hello: -
    loading the device: -
    upload only: -
RightsLost, revoked: close REVOKED
    new: -
    awaiting Hello: -
    loading the device: -
    upload only: -
RightsLost, signed out: close UNAUTHENTICATED
DrainRequested: SendFrame + close GOING_AWAY
frame: garbage: close UNDECODABLE
frame: Hello: close PROTOCOL_VIOLATION
    awaiting Hello: LoadDevice
frame: Push: StoreBatch
    new: close PROTOCOL_VIOLATION
    awaiting Hello: close PROTOCOL_VIOLATION
    loading the device: close PROTOCOL_VIOLATION
    storing a push: close PROTOCOL_VIOLATION
frame: Applied: RecordApplied
    new: close PROTOCOL_VIOLATION
    awaiting Hello: close PROTOCOL_VIOLATION
    loading the device: close PROTOCOL_VIOLATION
    loading a snapshot: close PROTOCOL_VIOLATION
    upload only: close PROTOCOL_VIOLATION
frame: Applied, a part: close PROTOCOL_VIOLATION
    bucket sent: -
    snapshot sent: -
frame: Heartbeat: RecordApplied
    new: close PROTOCOL_VIOLATION
    awaiting Hello: close PROTOCOL_VIOLATION
    loading the device: close PROTOCOL_VIOLATION
    upload only: -
frame: Proof: close PROTOCOL_VIOLATION
    challenging: CheckProof
frame: RepairRequest: close PROTOCOL_VIOLATION
    following: LoadBucket
    storing a push: LoadBucket
    making a nonce: LoadBucket
    challenging: LoadBucket
    checking a proof: LoadBucket
    loading a page: -
    loading a bucket: -
    bucket sent: -
"""


def test_every_state_answers_every_event_as_the_table_says() -> None:
    assert written(table_of(STATES, EVENTS)) == TABLE


def test_the_table_leaves_no_event_and_no_message_out() -> None:
    named = " ".join(EVENTS)
    kinds: list[Any] = [*get_args(on.ServerEvent), *get_args(DeviceMessage)]
    assert [kind.__name__ for kind in kinds if kind.__name__ not in named and kind is not on.FrameReceived] == []


def test_the_table_leaves_no_state_out() -> None:
    reached = {make().session.state for make in STATES.values()}
    assert reached == set(State) - {State.CLOSED}


def test_a_closed_session_answers_nothing() -> None:
    def closed() -> Hall:
        hall = following()
        hall.on(on.LinkClosed())
        return hall

    assert {row["closed"] for row in table_of({"closed": closed}, EVENTS).values()} == {"-"}
