"""The mail of a signed day: the sheet itself where it fits, and for everybody who is named one, once ever."""

from server.core.signed_heads import Head, HeadKey, Sheet, from_line
from server.services.heads_mail import LINE_CHARACTERS_MAX, mails_of

KEY = HeadKey("a secret for the tests of signed heads, 48 bytes.")


def sheet_of(chains: int) -> Sheet:
    heads = tuple(Head("audit", f"{one:036}", "", one, bytes(32)) for one in range(chains))
    return Sheet(12, "2026-11-28", 1_790_000_000_000_000, bytes(32), heads)


def test_a_sheet_goes_whole_to_everybody_and_a_long_one_by_its_digest() -> None:
    short, long = KEY.sign(sheet_of(3)), KEY.sign(sheet_of(200))
    mails = mails_of(short, ["a@example.org", "b@example.org"])
    assert [one.recipient for one in mails] == ["a@example.org", "b@example.org"]
    assert len({one.dedupe_key for one in (*mails, *mails_of(short, ["a@example.org"]))}) == 2
    (line,) = [one for one in mails[0].body.splitlines() if one.startswith("{")]
    assert from_line(line.encode()) == short
    (by_digest,) = mails_of(long, ["a@example.org"])
    assert long.sheet.digest.hex() in by_digest.body
    assert "{" not in by_digest.body
    assert len(by_digest.body) < LINE_CHARACTERS_MAX
