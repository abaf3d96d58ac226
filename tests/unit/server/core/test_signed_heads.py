"""Signed days of the books, without a database: what is signed, what a chain must say, and the file outside."""

from pathlib import Path
from typing import Any, Final

import msgspec

from server.core.signed_heads import Head, HeadKey, Pin, PinCheck, Sheet, SignedSheet, from_line, key_id, to_line
from server.services.heads_file import add_sheets, read_sheets
from server.services.verification_heads import SheetCheck

OURS, OTHER = HeadKey("a" * 32), HeadKey("b" * 32)
CHAIN: Final = "00000000-0000-4000-8000-000000000001"
HEAD: Final = Head("audit", CHAIN, "", 5, b"h" * 32)


def days(*keys: HeadKey) -> list[SignedSheet]:
    """A sheet of each key, on days that follow each other."""
    made: list[SignedSheet] = []
    for number, key in enumerate(keys, 1):
        previous = made[-1].sheet.digest if made else b""
        heads = (msgspec.structs.replace(HEAD, seq=number),)
        made.append(key.sign(Sheet(number, f"2026-11-0{number}", number * 1_000_000, previous, heads)))
    return made


def found(*here: SignedSheet, outside: list[SignedSheet] | None = None, restored_at_us: int = 0) -> list[str]:
    """What is wrong, and what is noted."""
    check = SheetCheck(OURS.public_key)
    for one in here:
        check.take(one)
    check.finish()
    check.compare(outside or [], restored_at_us)
    return [f"{one.key}: {one.what}" for one in check.report.findings] + check.report.notes


def test_every_field_of_a_sheet_is_signed_and_a_line_gives_it_back() -> None:
    signed = days(OURS)[0]
    assert signed.is_good
    assert from_line(to_line(signed)) == signed
    assert from_line(to_line(signed)[:-9]) is None
    assert from_line(b"\xff") is None
    changes: tuple[dict[str, Any], ...] = (
        {"number": 2}, {"day": "2026-11-02"}, {"signed_at_us": 1}, {"previous": b"x"}, {"heads": ()},
        *({"heads": (msgspec.structs.replace(HEAD, seq=1, **{name: value}),)}
          for name, value in (("kind", "log"), ("chain_id", "x"), ("name", "x"), ("hash", b"x"))),
        {"heads": (HEAD,)},
    )  # fmt: skip
    for change in changes:
        sheet = msgspec.structs.replace(signed.sheet, **change)
        assert not msgspec.structs.replace(signed, sheet=sheet).is_good, change
    assert not msgspec.structs.replace(signed, public_key=OTHER.public_key).is_good
    # The same secret makes the same key, on every server and after every start.
    assert HeadKey("a" * 32).public_key == OURS.public_key != OTHER.public_key
    assert len(key_id(OURS.public_key)) == 12


def test_a_chain_is_held_to_what_was_signed_of_it() -> None:
    rows = [(number, bytes([number])) for number in range(1, 7)]

    def wrong(*pins: Pin, told: list[tuple[int, bytes]] = rows) -> str | None:
        check = PinCheck(pins)
        return next((one for one in (check.take(*row) for row in told) if one), None) or check.finish(len(told))

    third, sixth = Pin(3, b"\x03", "mon"), Pin(6, b"\x06", "tue")
    assert wrong() is None
    assert wrong(sixth, third, third) is None
    anew = "written anew: a row from {} to {} is not what was signed on {}"
    assert wrong(third, Pin(6, b"x", "tue")) == anew.format(4, 6, "tue")
    assert wrong(sixth, Pin(3, b"x", "mon")) == anew.format(1, 3, "mon")
    assert wrong(third, sixth, told=rows[:4]) == "the rows from 5 to 6 are missing: they were signed on tue"
    assert wrong(third, told=[]) == "the rows from 1 to 3 are missing: they were signed on mon"


def test_sheets_are_right_only_whole_in_order_and_by_keys_that_this_server_vouches_for() -> None:
    one, two, three = days(OURS, OURS, OURS)
    assert found() == []
    assert found(one, two, three, outside=[one, two]) == []
    assert found(one, three) == ["number 2: the row is missing"]
    assert found(two, three) == ["number 1: the row is missing"]
    loose = OURS.sign(msgspec.structs.replace(two.sheet, previous=b"x"))
    assert found(one, loose) == ["number 2: it does not follow on the day before"]
    forged = msgspec.structs.replace(two, signature=bytes(64))
    assert found(one, forged) == ["number 2: it, or a row of `signed_head`, is not what was signed"]
    # What somebody signed with a key of theirs; a new SECRET_KEY is told, and the first day of it vouches.
    foreign = "number 3: it was not signed with the key of this server's SECRET_KEY"
    assert found(*days(OURS, OURS, OTHER))[0] == foreign
    (note,) = found(*days(OTHER, OURS, OURS))
    assert note.startswith(f"Several keys signed: {key_id(OTHER.public_key)} from 2026-11-01, ")


def test_a_copy_outside_shows_what_the_database_lost() -> None:
    one, two, three = days(OURS, OURS, OURS)
    lost = "number 3: the row is missing: the copy outside of the database has it, signed on 2026-11-03"
    assert found(one, two, outside=[one, two, three]) == [lost]
    anew = OURS.sign(msgspec.structs.replace(three.sheet, heads=(HEAD,)))
    assert found(one, two, anew, outside=[three])[0].startswith("number 3: it is another: the copy")
    # A copy that anybody could have written says nothing.
    stranger = days(OTHER)
    unknown = "number 1: the copy outside of the database is not signed by a key that is known here"
    assert found(one, outside=stranger) == [unknown]
    assert found(one, outside=[msgspec.structs.replace(one, signature=b"")]) == [unknown]
    # What was signed before a restore of an older backup went with it; what was signed after it did not.
    note = "1 days of the copy were signed before the database was restored."
    assert found(one, two, outside=[three], restored_at_us=3_000_001) == [note]
    assert found(one, two, outside=[three], restored_at_us=3_000_000) == [lost]


def test_the_file_is_only_added_to_and_a_line_that_was_cut_off_hurts_nobody(tmp_path: Path) -> None:
    path, (one, two, three) = tmp_path / "new" / "heads.jsonl", days(OURS, OURS, OURS)
    assert read_sheets(path) == ([], 0)
    assert add_sheets(path, [one, two]) == 2
    assert add_sheets(path, [one, two]) == 0
    assert (read_sheets(path), path.stat().st_mode & 0o777) == (([one, two], 0), 0o600)
    path.write_bytes(path.read_bytes()[:-20])
    assert read_sheets(path) == ([one], 1)
    assert add_sheets(path, [one, two, three]) == 2
    assert read_sheets(path) == ([one, two, three], 1)
