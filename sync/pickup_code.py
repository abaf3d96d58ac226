"""The pick-up code of a stay: four signs that are on the child's name tag and on the slip of whoever brought it.

It is made from the id of the arrival, which every desk has as soon as it knows of the stay, so it is kept nowhere and
told by nobody. An id has 74 random bits (RFC 9562, version 7) that no parent and no passer-by sees; of a code nobody
can find the id, nor of one code the next.
"""

import hashlib
from typing import Final

# No vowels (no words), and none of 0 O Q 1 I L 2 Z 5 S 8 B, which are read for one another: 20 signs.
ALPHABET: Final = "CDFGHJKMNPRTVWXY3479"
CODE_CHARACTERS: Final = 4
_PURPOSE: Final = b"rollcall.pickup_code.v1\x00"


def pickup_code(arrival_id: str) -> str:
    """The code that belongs to an arrival (the UUID of the event): one of 160,000, all as likely.

    Who guesses at one child's code is right once in 160,000 times, and stands before a person while they try.
    """
    number = int.from_bytes(hashlib.sha256(_PURPOSE + arrival_id.encode()).digest(), "big")
    signs = []
    for _ in range(CODE_CHARACTERS):
        number, rest = divmod(number, len(ALPHABET))
        signs.append(ALPHABET[rest])
    return "".join(signs)


def typed_codes(text: str) -> frozenset[str]:
    """The codes in what a person typed; case, and what stands between them, does not matter. Empty: it holds none.

    Codes may be typed with or without a space between them; signs that no code has make the whole text none.
    """
    signs = "".join(sign for sign in text.upper() if sign not in " -,.;/+\t")
    is_whole = bool(signs) and len(signs) % CODE_CHARACTERS == 0 and set(signs) <= set(ALPHABET)
    if not is_whole:
        return frozenset()
    return frozenset(signs[at : at + CODE_CHARACTERS] for at in range(0, len(signs), CODE_CHARACTERS))
