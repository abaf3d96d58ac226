"""What really happened and when, known here alone, and whether a log says so by the rules of attendance."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from sync.attendance import AttendanceEvent, Fact, fold
from sync.change_log import Numbered
from sync.intake import fact_of_record
from sync.messages import Push, PushStored
from sync.records import Entity, EventRecord
from tests.simulation.reference import Reference
from tests.simulation.trace import Violated
from tests.unit.sync.naive_attendance import decide, shown

if TYPE_CHECKING:
    from tests.simulation.world import World

# A desk's clock that is off by less is taken at its word.
_TRUSTED_MS: Final = 2_000


class _Moment(msgspec.Struct, frozen=True):
    """When somebody pressed, and by how much the log may be wrong about it."""

    true_ms: int
    within_ms: int


class Truth:
    """The moments of all presses at desks that had measured their clocks since they last jumped."""

    def __init__(self) -> None:
        self._moments: dict[str, _Moment] = {}

    def saw(self, event: AttendanceEvent, *, true_ms: int, skew_ms: int) -> None:
        """Somebody pressed; a time that was typed is that person's own affair."""
        offset_ms, error_ms = event.clock_offset_ms, event.clock_error_ms or 0
        is_typed = event.occurred_at_ms != event.recorded_at_ms
        if not is_typed and offset_ms is not None and abs(offset_ms + skew_ms) <= error_ms:
            self._moments[event.event_id] = _Moment(true_ms, _TRUSTED_MS + error_ms)

    def judge(self, facts: Iterable[Fact]) -> None:
        """Facts of known moments carry them, and are folded in the order in which they happened.

        Raises:
            Violated: order_is_true.

        """
        latest: _Moment | None = None
        for fact in sorted(facts, key=lambda fact: fact.order):
            moment = self._moments.get(fact.event.event_id)
            if moment is None:
                continue
            if abs(fact.at_ms - moment.true_ms) > moment.within_ms:
                raise Violated("order_is_true", f"{fact.event.event_id} is {fact.at_ms - moment.true_ms} ms off")
            if latest is not None and moment.true_ms + moment.within_ms < latest.true_ms - latest.within_ms:
                raise Violated("order_is_true", f"{fact.event.event_id} happened before what it is said to follow")
            if latest is None or moment.true_ms - moment.within_ms > latest.true_ms - latest.within_ms:
                latest = moment


class Pushes:
    """Pushes under way, to see that no entry holds up those behind it."""

    def __init__(self) -> None:
        self._last_seq: dict[str, int] = {}

    def sent(self, link: str, push: Push) -> None:
        """A desk pushed."""
        self._last_seq[link] = push.entries[-1].seq

    def answered(self, link: str, stored: PushStored) -> None:
        """The server answered.

        Raises:
            Violated: parked_delays_nobody.

        """
        last_seq = self._last_seq.pop(link, 0)
        if stored.outcomes and (stored.through_seq, stored.outcomes[-1].seq) != (last_seq, last_seq):
            raise Violated("parked_delays_nobody", f"a push up to {last_seq} is answered up to {stored.through_seq}")


def judge_attendance(world: "World", log: Sequence[Numbered], reference: Reference) -> None:
    """What a log says of people is what happened, decided by the rules and by the records beside it.

    Raises:
        Violated: naming the invariant.

    """
    children: dict[str, list[Fact]] = {}
    last_seq: dict[tuple[str, str], int] = {}
    for row in log:
        if row.change.entity != Entity.EVENT:
            continue
        record = msgspec.json.decode(row.change.body, type=EventRecord)
        fact = fact_of_record(record)
        children.setdefault(fact.event.subject_id, []).append(fact)
        journal = (fact.device_id, fact.incarnation)
        if record.witnessed_by:
            continue
        if last_seq.get(journal, 0) > fact.seq:
            raise Violated("order_of_a_device_is_kept", f"{fact.seq} came behind {last_seq[journal]} of {journal}")
        last_seq[journal] = fact.seq
    for child, facts in children.items():
        world.truth.judge(facts)
        _judge_rules(child, facts, reference)


def _judge_rules(child: str, facts: Sequence[Fact], reference: Reference) -> None:
    """Compare the fold with the reducer that was written a second time, from the table alone."""
    found, wanted = shown(fold(facts, reference.known_of(child))), decide(facts, reference.around(child))
    if found["stays"] != wanted["stays"]:
        raise Violated("stays_follow_the_rules", f"the stays of {child} are {found['stays']}")
    findings = found["findings"]
    if findings != wanted["findings"] or len(findings) != len(set(findings)):
        raise Violated("each_contradiction_is_found_once", f"of {child}: {findings}")
    if found["ended"] != wanted["ended"]:
        raise Violated("stays_follow_the_rules", f"the absences of {child} that ended are {found['ended']}")
    if found["answers"] != wanted["answers"]:
        raise Violated("each_contradiction_is_found_once", f"answers of {child}: {found['answers']}")
