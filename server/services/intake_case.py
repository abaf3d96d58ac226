"""A push on its way through a transaction: how it meets what is stored, and what it is answered."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from server.core.signatures import is_signed
from server.repositories.incidents import NewIncident
from server.repositories.journal_writes import DeviceRow, JournalEnd, JournalKey, NewEntry, StoredEntry
from server.repositories.journals import escaped
from server.services.pushes import Answer, Push
from sync.attendance import AttendanceEvent
from sync.errors import BrokenChain, CloseCode
from sync.events import BatchRefused, BatchStored
from sync.evidence import journal_evidence
from sync.incidents import DeviceIncident, Incident
from sync.intake import Decision, Intake, Origin, Testimony, read_testimony
from sync.journal import Entry, EntryOutcome, Fork, Hole, Outcome, ParkReason, judge_run


@dataclass(slots=True)
class Case:
    """A push, its device as it is locked, where its journal stands, and what is stored of its entries."""

    push: Push
    device: DeviceRow
    end: JournalEnd
    known: Mapping[int, StoredEntry]
    fresh: tuple[Entry, ...] = ()
    testimonies: tuple[Testimony, ...] = ()
    decisions: list[Decision] = field(default_factory=list)
    lines: list[NewEntry] = field(default_factory=list)
    refusal: Answer | None = None
    noticed: DeviceIncident | None = None

    @property
    def answer(self) -> Answer:
        """One outcome for each entry, in order: repeats come before what is new."""
        if self.refusal is not None:
            return self.refusal
        last = self.push.entries[-1]
        repeats = tuple(self.known[seq].outcome for seq in sorted(self.known))
        fresh = tuple(decision.outcome for decision in self.decisions)
        return BatchStored(through_seq=last.seq, hash=last.hash, outcomes=repeats + fresh)

    @property
    def events(self) -> Iterator[AttendanceEvent]:
        """What the new entries testify of children."""
        return (said.event for said in self.testimonies if said.event is not None)

    @property
    def incidents(self) -> list[NewIncident]:
        """What people should know of: told by the device, or noticed here."""
        told = [decision.incident for decision in self.decisions if decision.incident is not None]
        key = self.push.device
        found = told if self.noticed is None else [*told, self.noticed]
        return [NewIncident(key.center_id, key.device_id, incident) for incident in found]

    def judge(self, received_at_ms: int) -> None:
        """Split the run into repeats and new entries, or refuse it; new ones are read once."""
        hashes = {seq: entry.hash for seq, entry in self.known.items()}
        try:
            verdict = judge_run(self.end.head, hashes.get, self.push.entries)
        except Hole:
            self.refusal = BatchStored(through_seq=self.end.head.seq, hash=self.end.head.hash, outcomes=())
            return
        except Fork as error:
            self.refusal = BatchRefused(CloseCode.FORK, str(error))
            self.noticed = _fork_noticed(self.push, received_at_ms)
            return
        except BrokenChain as error:
            self.refusal = BatchRefused(CloseCode.JOURNAL_INVALID, str(error))
            return
        signed = self.push.signed
        if verdict.fresh and not is_signed(self.device.public_key, signed.signature, signed.hash):
            self.refusal = BatchRefused(CloseCode.JOURNAL_INVALID, "the signature is not this device's")
            return
        self.fresh = verdict.fresh
        if self.push.park is ParkReason.NOT_PARKED:
            self.testimonies = tuple(map(read_testimony, self.fresh))

    def decide(self, intake: Intake, received_at_ms: int) -> None:
        """Decide what is new, and carry the journal's evidence on."""
        reason = self.push.park
        origin = Origin(
            device_id=self.push.device.device_id,
            device_name=self.device.name,
            is_entitled=self.device.is_active,
            received_at_ms=received_at_ms,
        )
        if reason is ParkReason.NOT_PARKED:
            pairs = zip(self.fresh, self.testimonies, strict=True)
            self.decisions = [intake.decide(entry, origin, testimony) for entry, testimony in pairs]
        else:
            self.decisions = [_parked(entry, reason) for entry in self.fresh]
        self._chain(received_at_ms * 1_000)

    def _chain(self, received_at_us: int) -> None:
        evidence = self.end.evidence
        key = JournalKey(self.push.device.center_id, self.push.device.device_id, self.push.incarnation)
        for decision in self.decisions:
            entry, outcome = decision.entry, decision.outcome
            evidence = journal_evidence(
                evidence,
                entry.hash,
                entry.signature,
                outcome=int(outcome.outcome),
                reason=int(outcome.reason),
                version=outcome.version,
                received_at_us=received_at_us,
            )
            self.lines.append(NewEntry(key, entry, outcome, evidence))


def _parked(entry: Entry, reason: ParkReason) -> Decision:
    return Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, reason))


def _fork_noticed(push: Push, received_at_ms: int) -> DeviceIncident:
    """A fork that is pushed again and again is one incident: its id comes from what was pushed."""
    first = push.entries[0]
    material = f"rollcall.fork\x00{push.device.center_id}\x00{push.device.device_id}\x00{first.incarnation}"
    digest = hashlib.sha256(material.encode() + first.hash).digest()
    return DeviceIncident(
        event_id=str(uuid.UUID(bytes=digest[:16], version=5)),
        incident=Incident.JOURNAL_FORKED,
        occurred_at_ms=received_at_ms,
        detail={"incarnation": escaped(first.incarnation), "seq": first.seq, "noticed_by": "server"},
    )
