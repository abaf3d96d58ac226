"""Roll-call sheets on the disk: sealed with the desk's own key, opened by `rollcall-kiosk sheet` or the printer.

Whoever carries the disk away without `device.json` reads no name (decision 0040). The program that opens one needs
neither the replica nor the screen, for the hour in which those do not work.
"""

import contextlib
import hashlib
import hmac
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.clock import Luck
from kiosk.keys import write_whole
from kiosk.services.errors import DeskError
from kiosk.services.moments import rfc3339

# A fire drill each week, and each with a beginning and an end: half a year.
SHEETS_MAX: Final = 50
# Five hundred people on four lines of 78 columns each, twice over.
SHEET_BYTES_MAX: Final = 1024 * 1024
_MAGIC: Final = b"rollcall-sheet-1\n"
_PURPOSE: Final = b"rollcall.sheet.v1\x00"
_NONCE_BYTES: Final = 12


class SheetDrawer:
    """One desk's sheets."""

    def __init__(self, folder: Path, replica_key: bytes, luck: Luck) -> None:
        self._folder = folder
        self._cipher = AESGCM(hmac.digest(replica_key, _PURPOSE, hashlib.sha256))
        self._luck = luck

    def keep(self, text: str, *, now_ms: int, stage: str) -> Path:
        """Write a sheet whole or not at all, and drop all but the newest 50; `now_ms` is UTC milliseconds.

        Sheets of earlier versions, which were plain text, are sealed too. Returns its path; raises OSError when the
        folder cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = (rfc3339(now_ms) or "").translate({ord(sign): None for sign in "-:."})
        path = self._folder / f"rollcall-{stamp}-{stage}.sheet"
        self._write(path, text.encode())
        for plain in self._folder.glob("rollcall-*.txt"):
            self._write(plain.with_suffix(".sheet"), plain.read_bytes())
            plain.unlink()
        for old in self._names()[:-SHEETS_MAX]:
            old.unlink(missing_ok=True)
        return path

    def newest(self) -> Path | None:
        """The sheet that was kept last."""
        names = self._names()
        return names[-1] if names else None

    def read(self, path: Path) -> str:
        """What a sheet says.

        Raises:
            DeskError: storage_failed, it cannot be read; wrong_keys, it is not what this desk sealed.

        """
        try:
            with path.open("rb") as file:
                sealed = file.read(SHEET_BYTES_MAX)
        except OSError as error:
            raise DeskError("storage_failed", f"{path.name} cannot be read ({error.strerror}).") from error
        nonce, body = sealed[len(_MAGIC) : len(_MAGIC) + _NONCE_BYTES], sealed[len(_MAGIC) + _NONCE_BYTES :]
        with contextlib.suppress(InvalidTag, ValueError):
            if sealed.startswith(_MAGIC):
                return self._cipher.decrypt(nonce, body, _MAGIC).decode()
        raise DeskError("wrong_keys", f"{path.name} is damaged, or was sealed with other keys than this desk's.")

    def _write(self, path: Path, text: bytes) -> None:
        nonce = self._luck(_NONCE_BYTES)
        write_whole(path, [_MAGIC, nonce, self._cipher.encrypt(nonce, text, _MAGIC)])

    def _names(self) -> list[Path]:
        return sorted(self._folder.glob("rollcall-*.sheet"))
