"""Which rules charge a day: those that held when it was locked."""

from datetime import UTC, date, datetime, timedelta

from server.models.planning import UsageRules
from server.services.planning_calendar import Calendar
from server.services.statements import FIRST_RULES, Locks
from server.services.usage import USAGE_RULES

AT = datetime(2026, 9, 21, 14, 13, tzinfo=UTC)
DAY = date(2026, 9, 14)
RULES = (UsageRules(version=2, locks_after=AT),)


def locks(*made: datetime, rules: tuple[UsageRules, ...] = RULES) -> Locks:
    return Locks(Calendar(locks=tuple((DAY, DAY, at) for at in made)), rules)


def test_a_locked_day_keeps_the_rules_of_its_first_lock() -> None:
    assert locks().rules_of(DAY) == USAGE_RULES
    assert locks(AT).rules_of(DAY) == FIRST_RULES, "the last lock before the rules changed"
    assert locks(AT + timedelta(seconds=1)).rules_of(DAY) == 2
    assert locks(AT - timedelta(days=9), AT + timedelta(days=9)).rules_of(DAY) == FIRST_RULES
    assert locks(AT).rules_of(DAY + timedelta(days=1)) == USAGE_RULES, "a day that is not locked"
    newer = (UsageRules(version=3, locks_after=AT + timedelta(days=9)), *RULES)
    assert locks(AT + timedelta(days=1), rules=newer).rules_of(DAY) == 2
