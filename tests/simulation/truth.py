"""What really happened and when, known here alone, and the rules of attendance written down a second time."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from sync.attendance import AttendanceEvent, EventKind, Fact, FindingKind, fold
from sync.change_log import Numbered
from sync.intake import fact_of_record
from sync.messages import Push, PushStored
from sync.records import Entity, EventRecord
from tests.simulation.trace import Violated

if TYPE_CHECKING:
    from tests.simulation.world import World

_SAME_MOMENT_MS: Final = 600_000
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


def judge_attendance(world: "World", log: Sequence[Numbered]) -> None:
    """What a log says of people is what happened, decided by the rules.

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
        children.setdefault(fact.event.child_id, []).append(fact)
        journal = (fact.device_id, fact.incarnation)
        if record.witnessed_by:
            continue
        if last_seq.get(journal, 0) > fact.seq:
            raise Violated("order_of_a_device_is_kept", f"{fact.seq} came behind {last_seq[journal]} of {journal}")
        last_seq[journal] = fact.seq
    for child, facts in children.items():
        world.truth.judge(facts)
        _judge_rules(child, facts)


def _judge_rules(child: str, facts: Sequence[Fact]) -> None:
    found = fold(facts)
    stays = [
        (_id(stay.check_in), _id(stay.check_out), stay.started_at_ms, stay.ended_at_ms, stay.disputed)
        for stay in found.stays
    ]
    rules = Rules()
    for fact in sorted(facts, key=lambda fact: fact.order):
        rules.take(fact)
    if stays != [stay.told() for stay in rules.stays]:
        raise Violated("stays_follow_the_rules", f"the stays of {child} are {stays}")
    findings = [(finding.kind, finding.event_ids) for finding in found.findings]
    if findings != rules.findings or len(findings) != len(set(findings)):
        raise Violated("each_contradiction_is_found_once", f"of {child}: {findings}")


class _Stay:
    def __init__(self, begun: Fact | None, ended: Fact | None = None) -> None:
        self.begun = begun
        self.ended = ended
        self.end_ms = None if ended is None else ended.at_ms
        self.is_disputed = begun is None

    def told(self) -> tuple[str, str, int | None, int | None, bool]:
        start_ms = None if self.begun is None else self.begun.at_ms
        return _id(self.begun), _id(self.ended), start_ms, self.end_ms, self.is_disputed


class Rules:
    """The table at the head of `sync.attendance`, followed fact by fact; shares no code with it."""

    def __init__(self) -> None:
        self.stays: list[_Stay] = []
        self.findings: list[tuple[FindingKind, tuple[str, ...]]] = []
        self._arrivals: list[Fact] = []

    def take(self, fact: Fact) -> None:
        """One more fact, later than all before."""
        stay = self.stays[-1] if self.stays else None
        is_in = stay is not None and stay.end_ms is None
        if fact.event.kind is EventKind.CHECK_IN:
            self._come(fact, stay if is_in else None)
        elif stay is None:
            self._leave_unseen(fact)
        elif is_in:
            self._leave(fact, stay)
        else:
            self._leave_again(fact, stay)

    def _come(self, fact: Fact, stay: _Stay | None) -> None:
        if stay is None:
            self._arrivals = []
            self.stays.append(_Stay(fact))
        elif stay.begun is not None and fact.at_ms > stay.begun.at_ms + _SAME_MOMENT_MS:
            self._find(FindingKind.POSSIBLE_MISSED_CHECK_OUT, stay.begun, fact)
        self._arrivals.append(fact)

    def _leave(self, fact: Fact, stay: _Stay) -> None:
        same_desk = [seen.at_ms for seen in self._arrivals if seen.device_id == fact.device_id]
        last_ms = max(same_desk, default=None)
        later = [seen for seen in self._arrivals if last_ms is not None and seen.at_ms > last_ms + _SAME_MOMENT_MS]
        self._arrivals = later
        stay.ended, stay.end_ms = fact, later[0].at_ms if later else fact.at_ms
        if later:
            following = _Stay(later[0])
            stay.is_disputed = following.is_disputed = True
            self.stays.append(following)
            self._find(FindingKind.OVERLAPPING_STAYS, stay.begun, later[0], fact)

    def _leave_again(self, fact: Fact, stay: _Stay) -> None:
        if stay.ended is not None and _names_two(stay.ended.event, fact.event):
            self._find(FindingKind.TWO_COLLECTORS, stay.ended, fact)
        elif stay.end_ms is not None and fact.at_ms > stay.end_ms + _SAME_MOMENT_MS:
            self._leave_unseen(fact)

    def _leave_unseen(self, fact: Fact) -> None:
        self.stays.append(_Stay(None, fact))
        self._find(FindingKind.CHECK_OUT_WITHOUT_CHECK_IN, fact)

    def _find(self, kind: FindingKind, *facts: Fact | None) -> None:
        self.findings.append((kind, tuple(_id(fact) for fact in facts if fact is not None)))


def _names_two(first: AttendanceEvent, second: AttendanceEvent) -> bool:
    if first.adult_id and second.adult_id:
        return first.adult_id != second.adult_id
    names = {name for event in (first, second) if (name := event.adult_name.strip().casefold())}
    return len(names) == 2


def _id(fact: Fact | None) -> str:
    return "" if fact is None else fact.event.event_id
