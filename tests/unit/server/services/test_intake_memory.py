"""What the intake remembers is true at one head only, and has a bound."""

from server.services.intake_memory import IntakeMemory, Remembered
from sync.attendance import AttendanceEvent, EventKind, Fact
from sync.change_log import Head
from sync.intake import Intake, StoredFact
from tests.contract.server_world import NOW_MS, new_id

HEAD = Head(new_id(), 7, bytes(32))


def remembered(center_id: str, facts: int) -> Remembered:
    stored = [
        StoredFact(
            Fact(
                event=AttendanceEvent(
                    event_id=new_id(),
                    kind=EventKind.CHECK_IN,
                    center_id=center_id,
                    child_id=center_id,
                    occurred_at_ms=NOW_MS,
                    recorded_at_ms=NOW_MS,
                ),
                device_id="",
                incarnation="",
                seq=number,
                hlc=number,
            ),
            number,
        )
        for number in range(facts)
    ]
    return Remembered(
        Intake(center_id=center_id, time_zone="UTC", head_version=7, known_children=(), stored=stored), {center_id}
    )


def test_what_is_kept_is_given_back_once_at_its_head() -> None:
    memory = IntakeMemory()
    kept = remembered(new_id(), 3)
    memory.keep("a", HEAD, kept)
    assert memory.take("b", HEAD) is None
    assert memory.take("a", HEAD) is kept
    assert memory.take("a", HEAD) is None


def test_nothing_is_known_at_another_head() -> None:
    memory = IntakeMemory()
    for other in (Head(HEAD.epoch, 8, HEAD.hash), Head(new_id(), 7, HEAD.hash), Head(HEAD.epoch, 7, b"1" * 32)):
        memory.keep("a", HEAD, remembered(new_id(), 1))
        assert memory.take("a", other) is None
        assert memory.take("a", HEAD) is None


def test_the_facts_of_centres_that_were_used_longest_ago_go_first() -> None:
    memory = IntakeMemory(facts_max=10)
    kept = {name: remembered(new_id(), 4) for name in "abc"}
    memory.keep("a", HEAD, kept["a"])
    memory.keep("b", HEAD, kept["b"])
    memory.keep("a", HEAD, kept["a"])
    memory.keep("c", HEAD, kept["c"])
    assert memory.take("b", HEAD) is None
    assert memory.take("a", HEAD) is kept["a"]
    assert memory.take("c", HEAD) is kept["c"]


def test_a_centre_that_is_too_large_is_not_remembered() -> None:
    memory = IntakeMemory(facts_max=10)
    memory.keep("a", HEAD, remembered(new_id(), 11))
    assert memory.take("a", HEAD) is None
    kept = remembered(new_id(), 10)
    memory.keep("b", HEAD, kept)
    assert memory.take("b", HEAD) is kept
