"""Who this device is and what it keeps secret: one file, readable by its owner only.

This is the weak store: whoever can read the file as this user, or as root, has the device's key and the
replica's. A kernel keyring or a TPM would be stronger; a 0600 file is what every machine has.

When the device is revoked, a tombstone without any key takes the place of the keys.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 64 * 1024

Key = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

MaybeKey = Annotated[bytes, msgspec.Meta(max_length=KEY_BYTES)]


class NotEnrolled(Exception):
    """The folder belongs to no device yet."""


class AlreadyEnrolled(Exception):
    """The folder belongs to a device already."""


class KeysUnreadable(Exception):
    """The file is damaged or may not be read."""


class DeviceRevoked(Exception):
    """The folder belonged to a device that was revoked; its keys are gone."""


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `device.json` once the device was revoked; `revoked_at_ms` is UTC by the desk's own clock."""

    revoked: Literal[True] = True
    server_url: str
    device_id: str
    center_name: str
    device_name: str
    revoked_at_ms: int


class DeviceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `device.json`. Until the server answered the enrolment, `device_id` is empty.

    `pin_pepper` and `family_key` check PINs and family codes; empty until the server gave them. The pepper is here, and
    not in the replica beside what it seals: a copy of the replica alone lets nobody try PINs.
    """

    format: int = 1
    server_url: str
    device_id: str = ""
    center_id: str = ""
    center_name: str = ""
    device_name: str = ""
    private_key: Key
    replica_key: Key
    pin_pepper: MaybeKey = b""
    family_key: MaybeKey = b""

    @property
    def is_enrolled(self) -> bool:
        """Whether the server gave this device an id."""
        return bool(self.device_id)

    @property
    def public_key(self) -> str:
        """The raw public key in base64url without padding, as enrolment sends it."""
        return base64.urlsafe_b64encode(self.public_bytes).rstrip(b"=").decode()

    @property
    def public_bytes(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._signer().public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over `message`, 64 bytes."""
        return self._signer().sign(message)

    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.private_key)


def new_keys(server_url: str, device_name: str, luck: Callable[[int], bytes]) -> DeviceKeys:
    """Fresh keys for a device that is about to enrol."""
    try:
        private = Ed25519PrivateKey.generate().private_bytes_raw()
    except UnsupportedAlgorithm as error:
        raise KeysUnreadable("This machine's OpenSSL has no Ed25519; install a current one.") from error
    return DeviceKeys(server_url=server_url, device_name=device_name, private_key=private, replica_key=luck(KEY_BYTES))


def read_keys(path: Path) -> DeviceKeys | None:
    """Read the file; None when there is none.

    Raises:
        KeysUnreadable: it is damaged or may not be read. It is never overwritten then.
        DeviceRevoked: there is a tombstone in its place.

    """
    try:
        with path.open("rb") as file:
            text = file.read(_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read ({error.strerror}); check who owns it.") from error
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        raise DeviceRevoked(last_words(msgspec.json.decode(text, type=Tombstone)))
    try:
        return msgspec.json.decode(text, type=DeviceKeys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path} is damaged; put back a copy of it, or enrol again into an empty folder."
        raise KeysUnreadable(message) from error


def read_enrolled_keys(path: Path) -> DeviceKeys:
    """As `read_keys`, for a device that must be enrolled.

    Raises:
        NotEnrolled: there is no file, or the enrolment in it was never answered.
        KeysUnreadable, DeviceRevoked: as `read_keys`.

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
    _put(path, keys)


def bury_keys(path: Path, keys: DeviceKeys, *, wall_ms: int) -> Tombstone:
    """Put a tombstone in the place of the keys, durable when this returns, and overwrite what was there.

    The tombstone comes first, so a desk that loses power in the middle knows that it was revoked. What the overwriting
    is worth: on a disk that writes in place it removes the bytes. A file system that copies on write, a flash disk that
    moves blocks about, and a backup may still hold them; only an encrypted disk helps against whoever reads those.

    Raises:
        KeysUnreadable: the folder cannot be written; the keys are as they were.

    """
    tombstone = Tombstone(
        server_url=keys.server_url,
        device_id=keys.device_id,
        center_name=keys.center_name,
        device_name=keys.device_name,
        revoked_at_ms=wall_ms,
    )
    with contextlib.ExitStack() as held:
        olds = [path, *path.parent.glob(f".{path.name}.*")]
        descriptors = [_held_open(held, old) for old in olds if old.exists()]
        _put(path, tombstone)
        for descriptor in descriptors:
            _overwrite(descriptor)
    for draft in olds[1:]:
        draft.unlink(missing_ok=True)
    return tombstone


def _held_open(held: contextlib.ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR)
    held.callback(os.close, descriptor)
    return descriptor


def _overwrite(descriptor: int) -> None:
    """As well as the disk lets us; the keys are out of reach of the desk either way."""
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)


def last_words(tombstone: Tombstone) -> str:
    """What is left to say of the desk."""
    where = f" at {tombstone.center_name}" if tombstone.center_name else ""
    return (
        f"This desk ({tombstone.device_name}{where}) was revoked; everything it had recorded was handed over. "
        "Its keys and its copy of the data are destroyed. To use the folder again, enrol it with a new code."
    )


def fingerprint(key: bytes) -> str:
    """Names a key without telling anything of it: SHA-256 over its purpose and its 32 random bytes."""
    return hashlib.sha256(b"rollcall-replica-owner-v1\n" + key).hexdigest()


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that only its owner can read: whole or not at all, durable when this returns.

    Raises:
        OSError: the disk or the folder refuses; nothing is left behind.

    """
    draft = _draft_of(path, os.getpid())
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _put(path: Path, content: DeviceKeys | Tombstone) -> None:
    try:
        write_whole(path, [msgspec.json.encode(content)])
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); check the disk and who owns the folder."
        raise KeysUnreadable(message) from error


def _draft_of(path: Path, process: int) -> Path:
    return path.with_name(f".{path.name}.{process}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
