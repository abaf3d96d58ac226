"""Cards and fobs from elsewhere: whose a scanned barcode is, by what this desk holds of it."""

from collections.abc import Mapping
from typing import Final

from kiosk.services.scans import ScanFault
from sync.barcodes import is_barcode, is_sealed_with, seal_of
from sync.records import CredentialRecord

BY_CODE: Final = "signed_code"
BY_CARD: Final = "barcode"
_CHANGED: Final = "This desk cannot check cards yet; connect it to the network, or find the child by name."
_REVOKED: Final = "This card was blocked and opens nothing any more; find the child by name."


def find_card(text: str, pepper: bytes, known: Mapping[str, CredentialRecord]) -> CredentialRecord | ScanFault | None:
    """Give the card whose text this is; None when it is nobody's, a fault when it was revoked or cannot be checked.

    A card that was revoked and given out anew, to whomever, is good: who has it now counts.
    """
    cards = [one for one in known.values() if one.kind == BY_CARD]
    if not cards or not is_barcode(text):
        return None
    if not any(is_sealed_with(one, pepper) for one in cards):
        return ScanFault(_CHANGED)
    seal = seal_of(text, pepper)
    found = [one for one in cards if one.seal == seal and is_sealed_with(one, pepper)]
    good = next((one for one in found if not one.revoked_at_ms), None)
    return good or (ScanFault(_REVOKED) if found else None)
