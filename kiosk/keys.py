"""Who this device is and what it keeps secret: one file, readable by its owner only.

This is the weak store: whoever can read the file as this user, or as root, has the device's key and the
replica's. A kernel keyring or a TPM would be stronger; a 0600 file is what every machine has.
"""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

KEY_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 64 * 1024

Key = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class NotEnrolled(Exception):
    """The folder belongs to no device yet."""


class AlreadyEnrolled(Exception):
    """The folder belongs to a device already."""


class KeysUnreadable(Exception):
    """The file is damaged or may not be read."""


class DeviceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `device.json`. Until the server answered the enrolment, `device_id` is empty."""

    format: int = 1
    server_url: str
    device_id: str = ""
    center_id: str = ""
    center_name: str = ""
    device_name: str = ""
    private_key: Key
    replica_key: Key

    @property
    def is_enrolled(self) -> bool:
        """Whether the server gave this device an id."""
        return bool(self.device_id)

    @property
    def public_key(self) -> str:
        """The raw public key in base64url without padding, as enrolment sends it."""
        raw = self._signer().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over `message`, 64 bytes."""
        return self._signer().sign(message)

    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.private_key)


def new_keys(server_url: str, device_name: str, luck: Callable[[int], bytes]) -> DeviceKeys:
    """Fresh keys for a device that is about to enrol."""
    try:
        private = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    except UnsupportedAlgorithm as error:
        raise KeysUnreadable("This machine's OpenSSL has no Ed25519; install a current one.") from error
    return DeviceKeys(server_url=server_url, device_name=device_name, private_key=private, replica_key=luck(KEY_BYTES))


def read_keys(path: Path) -> DeviceKeys | None:
    """Read the file; None when there is none.

    Raises:
        KeysUnreadable: it is damaged or may not be read. It is never overwritten then.

    """
    try:
        with path.open("rb") as file:
            text = file.read(_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read ({error.strerror}); check who owns it.") from error
    try:
        return msgspec.json.decode(text, type=DeviceKeys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path} is damaged; put back a copy of it, or enrol again into an empty folder."
        raise KeysUnreadable(message) from error


def read_enrolled_keys(path: Path) -> DeviceKeys:
    """As `read_keys`, for a device that must be enrolled.

    Raises:
        NotEnrolled: there is no file, or the enrolment in it was never answered.
        KeysUnreadable: as `read_keys`.

    """
    keys = read_keys(path)
    if keys is None or not keys.is_enrolled:
        raise NotEnrolled(
            f"{path.parent} holds no enrolled device; first: rollcall-kiosk enrol --server URL --code CODE "
            f"--data {path.parent}"
        )
    return keys


def write_keys(path: Path, keys: DeviceKeys) -> None:
    """Write the file whole or not at all, durable when this returns.

    Raises:
        KeysUnreadable: the folder cannot be written.

    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        message = f"{path} cannot be written ({error.strerror}); check the disk and who owns the folder."
        raise KeysUnreadable(message) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
