"""Keeps the keys for PINs and family codes those that the server has: fetched when the desk is linked, and kept."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from kiosk.keys import DeviceKeys, KeysUnreadable
from kiosk.link.client import Refused, ServerUnreachable
from kiosk.log import Log
from kiosk.messages import LinkChanged, RosterChanged
from kiosk.services.errors import DeskError
from kiosk.services.following import Following
from sync.pins import is_checkable
from sync.records import PinRecord

# A server whose pepper fits no PIN, after SECRET_KEY was changed, is not asked at every change.
RENEWAL_INTERVAL_MS: Final = 60_000

log = Log()


@dataclass
class Keyring:
    """The keys of one desk. `fetch` asks the server, `keep` makes them durable."""

    keys: DeviceKeys
    following: Following
    fetch: Callable[[DeviceKeys], Awaitable[DeviceKeys]]
    keep: Callable[[DeviceKeys], Awaitable[None]]
    _was_fetched: bool = False
    _asked_ms: int | None = None

    def pepper(self) -> bytes:
        """What seals PINs; empty until the server gave it."""
        return self.keys.pin_pepper

    def family_key(self) -> bytes:
        """What signs family codes, the public half; empty until the server gave it."""
        return self.keys.family_key

    async def run(self) -> None:
        """Ask once in each run that is linked, and again when somebody has a PIN that cannot be checked."""
        async for message in self.following.hub.subscribe():
            if isinstance(message, LinkChanged | RosterChanged) and self.following.is_current and self._is_wanted():
                await self.renew()

    async def renew(self) -> bool:
        """Ask the server now; what goes wrong is tried again later. Whether all that there is was fetched."""
        self._asked_ms = self.following.clock.monotonic_ms()
        try:
            found = await self.fetch(self.keys)
            if found != self.keys:
                await self.keep(found)
                self.keys = found
                log.info("door_keys_kept")
                self.following.hub.publish(RosterChanged())
            self._was_fetched = True
        except (ServerUnreachable, Refused, DeskError, KeysUnreadable) as error:
            log.info("door_keys_not_fetched", reason=type(error).__name__)
            self._was_fetched = isinstance(error, Refused)
        return self._was_fetched

    def _is_wanted(self) -> bool:
        now_ms = self.following.clock.monotonic_ms()
        if self._asked_ms is not None and now_ms - self._asked_ms < RENEWAL_INTERVAL_MS:
            return False
        if not self._was_fetched:
            return True
        pins = [one.pin for one in self.following.knowledge.staff.values() if isinstance(one.pin, PinRecord)]
        return any(not is_checkable(pin, self.keys.pin_pepper) for pin in pins)
