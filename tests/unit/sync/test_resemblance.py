"""Names that may be one person's: the same words, one slip, an initial."""

import pytest

from sync.resemblance import WORDS_MAX, Resemblance, folded_words, resemblance


@pytest.mark.parametrize(
    ("typed", "blocked", "found"),
    [
        ("João Pinto", "Joao PINTO", Resemblance.SAME),
        ("pinto, joão", "João Pinto", Resemblance.SAME),
        ("J. Pinto", "João Pinto", Resemblance.NEAR),
        ("João", "João Pinto", Resemblance.NEAR),
        ("João Pintó Silva", "João Pinto", Resemblance.NEAR),
        ("João Pintto", "João Pinto", Resemblance.NEAR),
        ("João Pino", "João Pinto", Resemblance.NEAR),
        ("João Binto", "João Pinto", Resemblance.NEAR),
        ("Pam O'Neill", "Pat O'Neill", Resemblance.NONE),
        ("João Pinkos", "João Pinto", Resemblance.NONE),
        ("João Pintassilgo", "João Pinto", Resemblance.NONE),
        ("Rui Costa", "João Pinto", Resemblance.NONE),
        ("", "João Pinto", Resemblance.NONE),
        ("João Pinto", "...", Resemblance.NONE),
        ("Łukasz Øster", "lukasz oster", Resemblance.SAME),
    ],
)
def test_names_are_compared_by_their_words(typed: str, blocked: str, found: Resemblance) -> None:
    assert resemblance(typed, blocked) is found
    assert resemblance(blocked, typed) is found


def test_a_name_is_taken_apart_without_accents_case_and_punctuation_and_is_bounded() -> None:
    assert folded_words("Inês D'Arc") == ("ines", "d", "arc")
    assert len(folded_words("word " * 100)) == WORDS_MAX
