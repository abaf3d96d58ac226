"""Findings: which are critical, and the key by which an answer names one."""

from sync.findings import CRITICAL_FINDINGS, Finding, FindingKind
from tests.unit.sync.builders import uuid_of


def test_what_may_have_given_a_child_to_the_wrong_person_is_critical() -> None:
    critical = {kind for kind in FindingKind if Finding(kind, (uuid_of(1),)).is_critical}
    assert critical == CRITICAL_FINDINGS
    assert critical == {
        FindingKind.TWO_COLLECTORS,
        FindingKind.RELEASED_ON_STALE_AUTHORISATION,
        FindingKind.RELEASED_BY_OVERRIDE,
    }


def test_a_key_depends_on_kind_and_events_alone() -> None:
    one = Finding(FindingKind.TWO_COLLECTORS, (uuid_of(2), uuid_of(1)), since_ms=5)
    other = Finding(FindingKind.TWO_COLLECTORS, (uuid_of(1), uuid_of(2)))
    assert one.key == other.key == f"two_collectors:{uuid_of(1)}:{uuid_of(2)}"
    assert one.key != Finding(FindingKind.OVERLAPPING_STAYS, (uuid_of(1), uuid_of(2))).key
