"""The chains that never leave the server: nothing that they cover can change, vanish or move unnoticed."""

from typing import Any

import pytest

from sync.evidence import GENESIS, journal_evidence, log_evidence

LOG: dict[str, Any] = {
    "previous": b"p" * 32,
    "row_hash": b"h" * 32,
    "bucket": "reference",
    "transaction_last": True,
    "at_us": 1_790_000_000_000_000,
    "actor": "anna",
    "origin": "api",
}
JOURNAL: dict[str, Any] = {
    "previous": b"p" * 32,
    "entry_hash": b"h" * 32,
    "signature": b"s" * 64,
    "outcome": 1,
    "reason": 0,
    "version": 41,
    "received_at_us": 1_790_000_000_000_000,
}


def test_the_chains_have_known_values() -> None:
    first = log_evidence(GENESIS, b"h" * 32, bucket="b", transaction_last=False, at_us=1, actor="", origin="")
    assert first.hex() == "4253177d58dba69900ec0138f14ba9401475708a7dddd1e028ef778daee53ec2"
    entry = journal_evidence(GENESIS, b"h" * 32, b"s" * 64, outcome=1, reason=0, version=1, received_at_us=1)
    assert entry.hex() == "9b4abedcaa59277fad0ecb3ca2f5bec4cfd9dded03a9158924b9c6e3dbc651a1"


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case bytes():
            return value[:-1] + b"!"
        case _:
            return f"{value} "


@pytest.mark.parametrize("name", LOG)
def test_each_value_of_a_row_of_the_log_is_covered(name: str) -> None:
    assert log_evidence(**LOG) != log_evidence(**{**LOG, name: other(LOG[name])})


@pytest.mark.parametrize("name", JOURNAL)
def test_each_value_of_an_entry_is_covered(name: str) -> None:
    assert journal_evidence(**JOURNAL) != journal_evidence(**{**JOURNAL, name: other(JOURNAL[name])})


def test_a_text_cannot_move_from_one_column_to_the_next() -> None:
    moved = {**LOG, "actor": "annaa", "origin": "pi"}
    assert log_evidence(**LOG) != log_evidence(**moved)
