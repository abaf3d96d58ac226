"""Lines as they are drawn from left to right."""

import pytest

from server.web.right_to_left import drawn, joined

ALEF, BET, GIMEL = "\u05d0", "\u05d1", "\u05d2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ana Silva", "Ana Silva"),
        ("", ""),
        (f"{ALEF}{BET}", f"{BET}{ALEF}"),
        (f"Noor {ALEF}{BET} {GIMEL}!", f"Noor {GIMEL} {BET}{ALEF}!"),
        (f"{ALEF}{BET} 12:30", f"12:30 {BET}{ALEF}"),
        (f"{ALEF} (abc)", f"(abc) {ALEF}"),
        (f"({ALEF}{BET})", f"({BET}{ALEF})"),
        (f"a {ALEF}, {BET} b", f"a {BET} ,{ALEF} b"),
        (f"{ALEF}5%", f"5%{ALEF}"),
        (f"a\u200f{ALEF}", f"a{ALEF}"),
        (f"{ALEF}\u05b8{BET}", f"{BET}{ALEF}\u05b8"),
        (f"a-1 {ALEF}", f"a-1 {ALEF}"),
    ],
)
def test_words_from_right_to_left_are_turned_around(text: str, shown: str) -> None:
    assert drawn(text) == shown


def test_arabic_letters_are_joined() -> None:
    # beh, noon: the first begins a word, the last ends it; alone a letter stands by itself.
    assert joined("\u0628\u0646") == "\ufe91\ufee6"
    assert joined("\u0628") == "\ufe8f"
    # A letter that joins only what comes before it lets the next one begin anew.
    assert joined("\u062f\u0627\u0648\u062f") == "\ufea9\ufe8d\ufeed\ufea9"
    assert joined("\u0633\u0644\u0627\u0645") == "\ufeb3\ufefc\ufee1"
    # Marks above a letter are no neighbours.
    assert joined("\u0628\u064e\u0646") == "\ufe91\u064e\ufee6"


def test_arabic_is_drawn_joined_and_turned_around() -> None:
    assert drawn("\u0628\u0646 1") == "1 \ufee6\ufe91"
