"""The chain of audit entries and what of a transaction it tells, without a database."""

from dataclasses import fields, replace
from typing import Any, Final

from server.core.asking import (
    ACTS_MAX,
    CHANGED,
    EVERYWHERE,
    NOBODY,
    NOWHERE,
    READ,
    THE_SERVER,
    Act,
    Acts,
    Asking,
    asking_now,
    asks,
    let_ask,
    within,
)  # fmt: skip
from server.core.audit_chain import GENESIS, AuditEntry, next_hash
from server.repositories.audit import ChainEnd
from server.services.verification_audit import AuditCheck

CHAIN: Final = "00000000-0000-4000-8000-000000000001"
FIRST: Final = AuditEntry(CHAIN, 1, 5, "a", CHANGED, "child", "c", "", "PATCH /x", "r")


def test_every_field_of_an_entry_is_in_its_hash() -> None:
    plain = next_hash(GENESIS, FIRST)
    for field in fields(AuditEntry):
        value = getattr(FIRST, field.name)
        changes: dict[str, Any] = {field.name: value + 1 if isinstance(value, int) else value + "!"}
        other = replace(FIRST, **changes)
        assert next_hash(GENESIS, other) != plain, field.name
    assert next_hash(b"\x00", FIRST) != plain
    # Values are told apart by their length.
    assert next_hash(GENESIS, replace(FIRST, entity="chil", entity_id="dc")) != plain


def test_a_chain_is_right_only_whole() -> None:
    second = replace(FIRST, seq=2, actor="b")
    hashes = [next_hash(GENESIS, FIRST)]
    hashes.append(next_hash(hashes[0], second))
    rows = list(zip((FIRST, second), hashes, strict=True))

    def found(end: ChainEnd | None, *told: tuple[AuditEntry, bytes]) -> str:
        check = AuditCheck(end)
        wrong = next((one for one in map(check.take, told) if one), None) or check.finish()
        return f"{wrong.table} {wrong.key}" if wrong else ""

    end = ChainEnd(2, hashes[1])
    assert found(end, *rows) == ""
    assert found(None) == ""
    assert found(end, rows[0]) == "audit_entry number 2"
    assert found(end, rows[1]) == "audit_entry number 1"
    assert found(end, (replace(FIRST, actor="z"), hashes[0])) == "audit_entry number 1"
    assert found(end, rows[0], (second, hashes[0])) == "audit_entry number 2"
    assert found(None, *rows) == "audit_head the chain"
    assert found(ChainEnd(1, hashes[0]), *rows) == "audit_head the chain"
    assert found(ChainEnd(2, hashes[0]), *rows) == "audit_head the chain"


def test_a_thing_that_was_changed_is_told_once_and_many_are_counted() -> None:
    acts = Acts()
    acts.add(CHAIN, Act(CHANGED, "person", "1"))
    acts.add(CHAIN, Act(CHANGED, "child_profile", "1"))
    acts.add(CHAIN, Act(READ, "child", "1", "alerts"))
    acts.add(CHAIN, Act(READ, "child", "1", "alerts"))
    assert acts.told(CHAIN) == [Act(CHANGED, "person", "1"), Act(READ, "child", "1", "alerts")]
    assert acts.told("another") == []
    for number in range(2, ACTS_MAX + 9):
        acts.add(CHAIN, Act(CHANGED, "person", str(number)))
    assert len(acts.told(CHAIN)) == ACTS_MAX + 1
    assert acts.told(CHAIN)[-1] == Act(CHANGED, "more", "9")


def test_who_asks_is_known_for_a_block_and_nobody_outside_of_it() -> None:
    before = asking_now()
    with asks(NOBODY):
        assert asking_now().reach.setting == NOWHERE.setting == ""
        with asks(THE_SERVER):
            assert asking_now().reach.setting == EVERYWHERE.setting == "*"
            let_ask(Asking(within(["b", "a"]), actor="p"))
            assert asking_now().reach.setting == "a,b"
        assert asking_now() == NOBODY
    assert asking_now() == before
