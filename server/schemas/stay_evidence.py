"""Shapes of the evidence of a stay; times have the centre's own offset (RFC 3339), hashes and keys are in hex."""

from datetime import datetime
from typing import Any

from server.schemas.base import Output


class RoomTimeOut(Output):
    """Since when the child was in which room."""

    room_id: str
    name: str
    since: datetime


class EvidenceStayOut(Output):
    """The stay as it counts now.

    `started_at` null: nobody saw the child come. `ended_at` null: the child is still in. `disputed`: events contradict
    each other. `assumed`: nobody saw the child go.
    """

    started_at: datetime | None
    ended_at: datetime | None
    rooms: list[RoomTimeOut]
    disputed: bool
    assumed: bool


class StepOut(Output):
    """One value that was replaced: a field of the event, or `at`, the moment that counts."""

    name: str
    before: str | int | None
    after: str | int | None


class SignerOut(Output):
    """Who attests, who came for the child, and how both were recognised."""

    staff_id: str
    staff_name: str
    author: str
    adult_id: str
    adult_name: str
    auth_method: str
    identity_check: str


class ChangeOut(Output):
    """What another event did to this one.

    `acts` false: that event was itself taken back, and `steps` are what it wanted to say. `removes`: it took this
    event away without saying anything in its place.
    """

    event_id: str
    acts: bool
    removes: bool
    steps: list[StepOut]
    recorded_at: datetime
    signer: SignerOut
    reason_code: str
    reason: str


class DeviceOut(Output):
    """Which device wrote the event down, and as which entry of which of its journals."""

    device_id: str
    name: str
    incarnation: str
    seq: int


class ClockOut(Output):
    """What the device knew of its clock: the server's minus its own, give or take the error; null: not measured."""

    offset_ms: int | None
    error_ms: int | None
    suspect: bool
    hlc: int


class ChecksOut(Output):
    """What was found when the entry was checked for this answer; null: what to compare with is not there (any more).

    `hash_matches`: the hash is that of the content. `follows`: the previous hash is that of the entry before.
    `signature_verifies`: the device's key signed this content. `evidence_matches`: outcome and time of arrival are
    those that the server stored. `says_the_same`: the event that counts is the one that was signed.
    """

    sound: bool
    hash_matches: bool | None
    follows: bool | None
    signature_verifies: bool | None
    evidence_matches: bool | None
    says_the_same: bool | None


class EntryOut(Output):
    """An entry of a journal that tells the event, as its device signed it.

    `witness`: another desk put the event back after the server had lost it. `base_epoch` and `base_version` are the
    position in the centre's log up to which the desk knew everything. `evidence` is the server's own chain.
    """

    device: DeviceOut
    witness: bool
    event_id: str
    kind: str
    wall_at: datetime | None
    monotonic_ms: int
    boot_id: str
    base_epoch: str
    base_version: int
    previous_hash: str
    hash: str
    signature: str
    public_key: str | None
    evidence: str
    outcome: str
    reason: str
    checks: ChecksOut


class EvidenceEventOut(Output):
    """An event behind the stay; `number` is its place in the order of time, by which a print speaks of it.

    `part` says what it is to the stay. `counts` false: it no longer does. `original` is the text that was signed, byte
    for byte (UTF-8), and `said` the same, decoded; null when it cannot be. `counts_at` is the moment that counts now.
    `retroactive_by_ms` is how long after the moment it was entered, `late_by_ms` how long after that the server got it.
    `log_matches`: desks are told the same.
    """

    number: int
    event_id: str
    kind: str
    part: str
    counts: bool
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime
    counts_at: datetime | None
    retroactive: bool
    retroactive_by_ms: int
    late: bool
    late_by_ms: int
    signer: SignerOut
    device: DeviceOut
    clock: ClockOut
    outcome: str
    version: int
    witnessed_by: str
    log_matches: bool
    sound: bool
    original: str
    said: dict[str, Any] | None
    changes: list[ChangeOut]
    entries: list[EntryOut]


class AnswerOut(Output):
    """What a person said to a finding, and the event that says so."""

    answer: str
    event_id: str


class EvidenceFindingOut(Output):
    """A contradiction about the stay; `open` until a person answered it."""

    key: str
    kind: str
    critical: bool
    open: bool
    event_ids: list[str]
    answers: list[AnswerOut]


class StayEvidenceOut(Output):
    """Everything that is known of a stay at `version` of the centre's log.

    `stay_id` is the event that begins the stay. `stay` null: what was said there comes to no stay any more. `complete`
    false: there were too many events to show. `names` are those of the people, rooms and devices that are spoken of.
    """

    center_id: str
    center_name: str
    time_zone: str
    version: int
    as_of: datetime
    read_by: str
    stay_id: str
    child_id: str
    child_name: str
    stay: EvidenceStayOut | None
    complete: bool
    sound: bool
    findings: list[EvidenceFindingOut]
    events: list[EvidenceEventOut]
    names: dict[str, str]
