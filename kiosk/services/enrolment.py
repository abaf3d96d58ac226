"""Making a folder a desk: keys made here, a one-time code exchanged, the replica filled before "ready"."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from kiosk.clock import Clock, Luck
from kiosk.keys import AlreadyEnrolled, DeviceKeys, DeviceRevoked, new_keys, read_keys, write_keys
from kiosk.link.client import BadAddress, NotRollcall, Refused, ServerUnreachable, base_url, post
from kiosk.messages import LinkChanged, LinkPhase, SnapshotProgress
from kiosk.services.desk import Desk
from kiosk.services.errors import LOCAL_ERRORS, DeskError, desk_error
from kiosk.services.opening import require_own_replica
from kiosk.services.revocation import clear_away
from kiosk.settings import DataFolder, LinkSettings, app_version
from kiosk.store.folder_lock import FolderLock

Progress = Callable[[str], None]
"""Is told, in words for a person, what is happening."""

CODE_CHARACTERS: Final = 8
NAME_CHARACTERS_MAX: Final = 100
KEYS_RETRY_S: Final = 0.5
_TOO_MANY: Final = 429

_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
_Name = Annotated[str, msgspec.Meta(max_length=200)]


class _Enrolled(msgspec.Struct, frozen=True):
    device_id: _Id
    center_id: _Id
    center_name: _Name
    device_name: _Name = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person typed, and how long they may have to wait for the roster."""

    server: str
    code: str
    data_dir: Path
    name: str = ""
    roster_timeout_ms: int = 120_000


async def enrol(
    request: Request,
    progress: Progress,
    *,
    luck: Luck = secrets.token_bytes,
    clock: Clock | None = None,
    link_settings: LinkSettings | None = None,
) -> DeviceKeys:
    """Enrol the folder and return when its replica is current.

    The keys are written before the code is sent. When the answer is lost, the same call with the same code sends
    the same key again and gets the same answer.

    Raises:
        DeskError: bad_input (address, code or name), already_enrolled, code_refused, too_many_tries,
            server_unreachable, not_rollcall, wrong_keys, replica_in_use, storage errors; or roster_missing: the
            device is enrolled and the roster did not come in time, which `run` and `agent` make up for.

    """
    settings = link_settings or LinkSettings()
    keys = await _exchange(request, progress, luck, settings)
    progress(f"Enrolled at {keys.center_name}. Fetching the roster ...")
    desk = await Desk.open(request.data_dir, clock=clock, luck=luck, link_settings=settings)
    try:
        await _fill(desk, request, progress)
    finally:
        await desk.close()
    progress("Ready: children, alerts and pick-up rules are complete.")
    return keys


async def _exchange(request: Request, progress: Progress, luck: Luck, settings: LinkSettings) -> DeviceKeys:
    server, code, name = _checked(request)
    folder = DataFolder(request.data_dir)
    lock = FolderLock(folder.lock)
    try:
        folder.create()
        lock.acquire()
        keys = _keys_to_offer(folder, server, name, luck)
        progress(f"Asking {server} ...")
        keys, enrolled = await _offer(folder, keys, code, luck, settings)
        keys = msgspec.structs.replace(
            keys,
            device_id=enrolled.device_id,
            center_id=enrolled.center_id,
            center_name=enrolled.center_name,
            # The name that the manager gave with the code wins over the one typed here.
            device_name=enrolled.device_name or keys.device_name,
        )
        write_keys(folder.keys, keys)
    except LOCAL_ERRORS as error:
        raise desk_error(error) from error
    except OSError as error:
        message = f"{request.data_dir} cannot be made ({error.strerror}); choose another folder with --data."
        raise DeskError("bad_input", message) from error
    finally:
        lock.release()
    return keys


def _checked(request: Request) -> tuple[str, str, str]:
    try:
        server = base_url(request.server)
    except BadAddress as error:
        raise DeskError("bad_input", f"{error}.") from error
    code = "".join(request.code.split()).replace("-", "").upper()
    if len(code) != CODE_CHARACTERS or not code.isascii() or not code.isalnum():
        raise DeskError("bad_input", "An enrolment code has eight letters and digits, like ABCD-2345.")
    name = " ".join(request.name.split()) or "Desk"
    if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise DeskError("bad_input", f"A desk's name has at most {NAME_CHARACTERS_MAX} letters on one line.")
    return server, f"{code[:4]}-{code[4:]}", name


def _keys_to_offer(folder: DataFolder, server: str, name: str, luck: Luck) -> DeviceKeys:
    """The keys of an enrolment that was never answered, or new ones; on the disk before they are used.

    The folder of a desk that was revoked is free for another one. A replica without keys is not: they may come back.
    """
    try:
        found = read_keys(folder.keys)
    except DeviceRevoked:
        clear_away(folder)
        found = None
    require_own_replica(folder, found)
    if found is not None and found.is_enrolled:
        message = (
            f"{folder.path} is enrolled already at {found.center_name or found.server_url}. "
            "Start it with run or agent, or choose another folder with --data."
        )
        raise AlreadyEnrolled(message)
    if found is None:
        keys = new_keys(server, name, luck)
    else:
        keys = msgspec.structs.replace(found, server_url=server, device_name=name)
    write_keys(folder.keys, keys)
    return keys


async def _offer(
    folder: DataFolder, keys: DeviceKeys, code: str, luck: Luck, settings: LinkSettings
) -> tuple[DeviceKeys, _Enrolled]:
    """Offer the keys; if an earlier code enrolled them and its answer was lost, offer new ones."""
    try:
        return keys, await _ask(keys, code, settings)
    except DeskError as error:
        if error.code != "device_key_taken":
            raise
    fresh = new_keys(keys.server_url, keys.device_name, luck)
    write_keys(folder.keys, fresh)
    return fresh, await _ask(fresh, code, settings)


async def _ask(keys: DeviceKeys, code: str, settings: LinkSettings) -> _Enrolled:
    body = {
        "code": code,
        "public_key": keys.public_key,
        "device_name": keys.device_name,
        "app_version": app_version(),
    }
    try:
        answer: _Enrolled = await post(
            keys.server_url, "/api/v1/devices/enrol", body, _Enrolled, settings.http_timeout_ms
        )
    except Refused as error:
        raise _refusal(error) from error
    except NotRollcall as error:
        message = f"What answers at {keys.server_url} is not a Rollcall server ({error}); check the address."
        raise DeskError("not_rollcall", message) from error
    except ServerUnreachable as error:
        message = (
            f"{keys.server_url} cannot be reached ({error}); check the address and the network, then give the "
            "same code again."
        )
        raise DeskError("server_unreachable", message) from error
    return answer


def _refusal(error: Refused) -> DeskError:
    if error.status == _TOO_MANY:
        return DeskError("too_many_tries", "Too many wrong codes; wait ten minutes and ask for a new code.")
    if error.code in _REFUSALS:
        return DeskError(error.code, _REFUSALS[error.code])
    return DeskError("code_refused", f"The server refuses this enrolment: {error.detail or error.code}")


_REFUSALS: Final = {
    "enrolment_code_wrong": "There is no such enrolment code; read it again, or ask for a new one.",
    "enrolment_code_used": "This enrolment code was used by another device; ask for a new one.",
    "enrolment_code_expired": "This enrolment code is too old; type a new one within ten minutes.",
    "device_key_taken": "This device was enrolled by another code; use an empty folder.",
    "enrolment_code_locked": "This enrolment code was tried too often; ask for a new one.",
}


async def _fill(desk: Desk, request: Request, progress: Progress) -> None:
    link = asyncio.create_task(desk.run_link())
    try:
        async with asyncio.timeout(request.roster_timeout_ms / 1000):
            await _until_current(desk, progress)
            await _until_keys(desk, progress)
    except TimeoutError as error:
        status = await desk.status()
        missing = "the keys for PINs and family codes have" if desk.is_current else "the roster has"
        message = (
            f"This device is enrolled, but {missing} not come yet ({status.detail or 'still waiting'}). "
            "Start it with run or agent; it goes on from there."
        )
        raise DeskError("roster_missing", message) from error
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)


async def _until_keys(desk: Desk, progress: Progress) -> None:
    """Without them no PIN opens the desk and no family code is read; a server that has none says so."""
    while not await desk.keyring.renew():
        progress("Waiting: keys for PINs and family codes")
        await asyncio.sleep(KEYS_RETRY_S)


async def _until_current(desk: Desk, progress: Progress) -> None:
    messages = desk.subscribe()
    async for message in messages:
        if isinstance(message, SnapshotProgress):
            progress(f"Roster: part {message.part} of {message.parts}")
        elif isinstance(message, LinkChanged) and message.status.link is not LinkPhase.ONLINE:
            progress(f"Waiting: {message.status.detail or 'connecting'}")
        if desk.is_current and (await desk.status()).version > 0:
            break
    messages.close()
