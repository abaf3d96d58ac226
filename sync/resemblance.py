"""Whether a given name may be that of somebody who must not collect: by words, forgiving of one slip."""

import functools
import unicodedata
from enum import Enum
from typing import Final

WORDS_MAX: Final = 12
# A desk folds the names of its roster with each key; 500 children and their adults are 3,500 names, some 2 MB.
NAMES_KEPT: Final = 8_192
LETTERS_TO_FORGIVE_A_SLIP: Final = 4
# Letters that Unicode does not take apart into a plain letter and an accent.
_PLAIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"})


class Resemblance(Enum):
    """SAME stops a release; NEAR asks the person to look twice."""

    NONE = "none"
    NEAR = "near"
    SAME = "same"


@functools.lru_cache(maxsize=NAMES_KEPT)
def folded_words(name: str) -> tuple[str, ...]:
    """The words of a name without accents, case or punctuation: `Inês D'Arc` gives `ines`, `d`, `arc`."""
    plain = (
        character if character.isalnum() else " "
        for character in unicodedata.normalize("NFKD", name.casefold().translate(_PLAIN))
        if not unicodedata.combining(character)
    )
    return tuple("".join(plain).split())[:WORDS_MAX]


def resemblance(typed: str, blocked: str) -> Resemblance:
    """Compare a typed name with that of a blocked person; the order of words does not matter.

    SAME: the same words. NEAR: each word of the shorter name stands in the longer one, give or take one
    letter, or as an initial.
    """
    ours, theirs = sorted(folded_words(typed)), sorted(folded_words(blocked))
    if not ours or not theirs:
        return Resemblance.NONE
    if ours == theirs:
        return Resemblance.SAME
    shorter, longer = sorted((ours, theirs), key=len)
    if all(any(_alike(word, other) for other in longer) for word in shorter):
        return Resemblance.NEAR
    return Resemblance.NONE


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) == 1:
        return one[0] == other[0]
    return min(len(one), len(other)) >= LETTERS_TO_FORGIVE_A_SLIP and _one_slip(one, other)


def _one_slip(one: str, other: str) -> bool:
    """One letter changed, missing or too many."""
    shorter, longer = sorted((one, other), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    same = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    return shorter[same + 1 :] == longer[same + 1 :] or shorter[same:] == longer[same + 1 :]
