"""Family codes: what a scanner reads at the door, signed by the centre's key, so that a desk can check one offline.

A code is `RC1` and then base32 (RFC 4648) without padding: capital letters and digits only, which every keyboard
layout of a scanner types alike but for Y and Z, and which a QR code packs densely. Its bytes are, big-endian:

| bytes | what                                                        |
|-------|-------------------------------------------------------------|
| 16    | the centre's id                                             |
| 16    | the adult's id                                              |
| 4     | when it ends, seconds since 1970 (UTC)                      |
| 8     | a nonce: no two codes are alike                             |
| 64    | Ed25519 over `rollcall-family-code-v1`, a line end, and the 44 bytes before |
"""

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "RC1"
NONCE_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
_SAID_BYTES: Final = 16 + 16 + 4 + NONCE_BYTES
# 108 bytes are 172.8 groups of five bits.
CODE_CHARACTERS: Final = len(PREFIX) + 173
_LABEL: Final = b"rollcall-family-code-v1\n"


@dataclass(frozen=True)
class FamilyCode:
    """What a code says: which adult of which centre, and until when (seconds since 1970, UTC)."""

    center_id: str
    adult_id: str
    expires_at_s: int
    nonce: bytes

    def said(self) -> bytes:
        """The bytes that are signed, without their label; 44 of them."""
        ends = self.expires_at_s.to_bytes(4, "big")
        return uuid.UUID(self.center_id).bytes + uuid.UUID(self.adult_id).bytes + ends + self.nonce

    def to_sign(self) -> bytes:
        """What the centre's key signs: bound to its purpose."""
        return _LABEL + self.said()


def code_text(code: FamilyCode, signature: bytes) -> str:
    """The code as it is printed or shown."""
    return PREFIX + base64.b32encode(code.said() + signature).decode().rstrip("=")


def looks_like_code(text: str) -> bool:
    """Whether a text means to be a family code, right or wrong."""
    return text.upper().startswith(PREFIX) and len(text) >= CODE_CHARACTERS // 2


def read_code(text: str) -> tuple[FamilyCode, bytes] | None:
    """What a text says, and the signature that must be checked; None when it is no family code at all.

    Capital and small letters are the same: a scanner with the caps lock on reads as well.
    """
    if len(text) != CODE_CHARACTERS or not text.isascii() or not text.upper().startswith(PREFIX):
        return None
    letters = text.upper().removeprefix(PREFIX)
    try:
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError):
        return None
    said, signature = data[:_SAID_BYTES], data[_SAID_BYTES:]
    code = FamilyCode(
        center_id=str(uuid.UUID(bytes=said[:16])),
        adult_id=str(uuid.UUID(bytes=said[16:32])),
        expires_at_s=int.from_bytes(said[32:36], "big"),
        nonce=said[36:],
    )
    # The last letter has bits to spare: of its spellings only the printed one is the code.
    return (code, signature) if code_text(code, signature) == PREFIX + letters else None
