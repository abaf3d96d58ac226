"""What this process remembers of logs, devices and journals, so that a device that is current costs no query.

Memory is only ever asked whether a device stands exactly where the server does. It is refreshed by the poll of the
followers and by whatever is read anyway; a hint that a head moved makes what is known of it stale at once, and what
nobody confirmed for `TRUSTED_MS` is worth nothing. Another epoch, another state of the device, one entry or one
version more or less: then the database is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from server.models.devices import DeviceState
from server.repositories.sync_reading import DIGESTS_MAX, CenterStanding, DeviceStanding, JournalKey
from server.services.caches import Kept
from sync.change_log import Head
from sync.effects import LoadDevice
from sync.journal import genesis
from sync.limits import BUCKETS_MAX, REPLICA_DAYS
from sync.messages import BucketDigest, JournalPosition
from sync.records import DAY_BUCKET_PREFIX, REFERENCE_BUCKET

# Two polls may fail; a right that was lost must have ended after 5 s.
TRUSTED_MS: Final = 5_000
# A centre, or a device, that nobody came for is forgotten after this long, and polled until then.
KEPT_MS: Final = 10 * 60_000
# About 10 KiB each with the sums of 16 buckets: 100 MiB.
CENTERS_MAX: Final = 10_000
# About 2 KiB each: 40 MiB. As many links as one process takes.
DEVICES_MAX: Final = 20_000

Totals = Mapping[str, int]
"""The sum of each bucket, as `sync.digest` counts it."""


@dataclass(frozen=True, slots=True)
class _Center:
    standing: CenterStanding
    totals: Totals | None
    confirmed_ms: int


@dataclass(frozen=True, slots=True)
class _Device:
    """A device, its journals by incarnation, and the epoch of the log when they were read."""

    standing: DeviceStanding
    journals: Mapping[str, JournalPosition]
    epoch: str
    confirmed_ms: int


class _Hint(NamedTuple):
    epoch: str
    version: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll is to ask of the database; of each journal, whether it still ends with this number."""

    center_ids: tuple[str, ...]
    device_ids: tuple[str, ...]
    journals: Mapping[JournalKey, int]


@dataclass(frozen=True, slots=True)
class Readings:
    """What a poll read in one snapshot of the database that began at `begun_ms`.

    `totals` are of the centres whose head moved; `not_active` holds the states of the devices that are not active,
    `moved` the journals that end elsewhere than was thought (None: of which nothing is stored).
    """

    begun_ms: int
    asked: Polled
    centers: Mapping[str, CenterStanding]
    totals: Mapping[str, Totals]
    not_active: Mapping[str, str]
    moved: Mapping[JournalKey, JournalPosition | None]


class Standings:
    """Bounded in number and in time; `monotonic_ms` is the clock."""

    def __init__(self, monotonic_ms: Callable[[], int]) -> None:
        """Remember nothing yet."""
        self._monotonic_ms = monotonic_ms
        self._centers: Kept[_Center] = Kept(CENTERS_MAX)
        self._devices: Kept[_Device] = Kept(DEVICES_MAX)
        self._hints: Kept[_Hint] = Kept(CENTERS_MAX)

    # -- what is asked

    def now_ms(self) -> int:
        """When it is now; ask before a reading begins."""
        return self._monotonic_ms()

    def device(self, device_id: str) -> DeviceStanding | None:
        """Give a device as it was lately; None when that is not known."""
        known = self._devices.get(device_id)
        return None if known is None or not self._is_trusted(known.confirmed_ms) else known.standing

    def center(self, center_id: str) -> CenterStanding | None:
        """Give where a log stood lately, unless something says that it moved since."""
        known = self._centers.get(center_id)
        if known is None or not self._is_trusted(known.confirmed_ms) or self._has_moved(center_id, known):
            return None
        return known.standing

    def is_current(self, device: DeviceStanding, effect: LoadDevice, now: datetime) -> bool:
        """Tell whether a device stands exactly where this server does, in its log and in all its journals."""
        center, known = self.center(device.center_id), self._devices.get(device.device_id)
        if center is None or known is None or self.device(device.device_id) is None:
            return False
        if known.epoch != center.head.epoch or known.standing.state != DeviceState.ACTIVE:
            return False
        offered = (JournalPosition(effect.incarnation, effect.journal_seq, effect.journal_hash), *effect.older)
        is_here = effect.version > 0 and Head(effect.epoch, effect.version, effect.hash) == center.head
        if not is_here or any(known.journals.get(one.incarnation) != one for one in offered):
            return False
        totals = self._totals(device.center_id)
        if not effect.digests:
            return True
        return totals is not None and not differing(effect.digests, totals, oldest_day(now, center.time_zone))

    def polled(self) -> Polled:
        """Give what is to be confirmed; what nobody came for lately is forgotten first."""
        before_ms = self._monotonic_ms() - KEPT_MS
        self._centers.forget(before_ms)
        self._devices.forget(before_ms)
        self._hints.forget(before_ms)
        return Polled(
            center_ids=tuple(center_id for center_id, _ in self._centers.items()),
            device_ids=tuple(device_id for device_id, _ in self._devices.items()),
            journals={key: end.seq for _, known in self._devices.items() for key, end in _journals(known)},
        )

    def oldest_days(self, centers: Mapping[str, CenterStanding], now: datetime) -> dict[str, str]:
        """Give those of these centres whose sums are not known at that head, each with its oldest day bucket."""
        return {
            center_id: oldest_day(now, standing.time_zone)
            for center_id, standing in centers.items()
            if standing.has_digests and not self._knows_totals(center_id, standing.head)
        }

    # -- what is learned

    def followed(self, center_id: str, device_id: str) -> None:
        """Somebody came: remember for another while what is known."""
        now_ms = self._monotonic_ms()
        self._centers.touch(center_id, now_ms)
        self._devices.touch(device_id, now_ms)

    def keep_center(self, center_id: str, standing: CenterStanding, totals: Totals | None, begun_ms: int) -> None:
        """Remember where a log stood in a reading, unless a later reading is known."""
        known = self._centers.get(center_id)
        if known is not None and known.confirmed_ms > begun_ms:
            return
        self._centers.put(center_id, _center(standing, totals, begun_ms, known), self._monotonic_ms())

    def keep_device(
        self, standing: DeviceStanding, journals: Mapping[str, JournalPosition], epoch: str, begun_ms: int
    ) -> None:
        """Remember a device and all the journals that it offers, unless a later reading is known."""
        known = self._devices.get(standing.device_id)
        if known is not None and known.confirmed_ms > begun_ms:
            return
        self._devices.put(standing.device_id, _Device(standing, journals, epoch, begun_ms), self._monotonic_ms())

    def forget_device(self, device_id: str) -> None:
        """Remember nothing of a device any more."""
        self._devices.pop(device_id)

    def head_moved(self, center_id: str, epoch: str, version: int) -> None:
        """Hear a hint; of one life of a log the highest version counts."""
        hint, now_ms = self._hints.get(center_id), self._monotonic_ms()
        if hint is None or hint.epoch != epoch or hint.version < version:
            self._hints.put(center_id, _Hint(epoch, version, now_ms), now_ms)

    def version_given(self, center_id: str, version: int) -> None:
        """Hear from this process itself that the log has a version; 0 says nothing."""
        known = self._centers.get(center_id)
        if known is not None:
            self.head_moved(center_id, known.standing.head.epoch, version)

    def entries_stored(self, device_id: str, end: JournalPosition) -> None:
        """A journal that is remembered has grown, by this process."""
        known = self._devices.get(device_id)
        before = None if known is None else known.journals.get(end.incarnation)
        if known is None or before is None or before.seq >= end.seq:
            return
        journals = {**known.journals, end.incarnation: end}
        self._devices.replace(device_id, replace(known, journals=journals))

    def confirm(self, read: Readings) -> None:
        """Take over what a poll read; what it did not find, or did not ask, is forgotten."""
        for center_id, center in self._centers.items():
            standing = read.centers.get(center_id)
            if center.confirmed_ms > read.begun_ms:
                continue
            if standing is None:
                self._centers.pop(center_id)
                continue
            totals = read.totals.get(center_id)
            self._centers.replace(center_id, _center(standing, totals, read.begun_ms, center))
        for device_id, device in self._devices.items():
            if device.confirmed_ms <= read.begun_ms:
                self._confirm_device(device_id, device, read)

    def _confirm_device(self, device_id: str, device: _Device, read: Readings) -> None:
        center = read.centers.get(device.standing.center_id)
        was_asked = all(key in read.asked.journals for key, _ in _journals(device))
        state = read.not_active.get(device_id, DeviceState.ACTIVE.value)
        if not state or center is None or center.head.epoch != device.epoch or not was_asked:
            self._devices.pop(device_id)
            return
        standing = device.standing if device.standing.state == state else replace(device.standing, state=state)
        journals = device.journals
        if any(key in read.moved for key, _ in _journals(device)):
            journals = {key[2]: _later(key, end, read) for key, end in _journals(device)}
        self._devices.replace(device_id, _Device(standing, journals, device.epoch, read.begun_ms))

    # -- small things

    def _is_trusted(self, confirmed_ms: int) -> bool:
        return self._monotonic_ms() - confirmed_ms <= TRUSTED_MS

    def _has_moved(self, center_id: str, known: _Center) -> bool:
        hint, head = self._hints.get(center_id), known.standing.head
        if hint is None or hint.heard_ms < known.confirmed_ms:
            return False
        return hint.epoch != head.epoch or hint.version > head.version

    def _totals(self, center_id: str) -> Totals | None:
        known = self._centers.get(center_id)
        return None if known is None else known.totals

    def _knows_totals(self, center_id: str, head: Head) -> bool:
        known = self._centers.get(center_id)
        return known is not None and known.totals is not None and known.standing.head == head


def oldest_day(now: datetime, time_zone: str) -> str:
    """Give the bucket of the oldest day that a replica of a centre in this time zone is sent."""
    today = now.astimezone(ZoneInfo(time_zone)).date()
    return f"{DAY_BUCKET_PREFIX}{(today - timedelta(days=REPLICA_DAYS)).isoformat()}"


def differing(told: Sequence[BucketDigest], totals: Totals, oldest: str) -> tuple[str, ...]:
    """Give the buckets that are not what a device at the head says of them.

    Days before `oldest` are nobody's business any more, and a device may have dropped days that it does not tell of;
    the reference bucket it always has. Among so many sums that they were cut off, one that is missing says nothing.
    """
    is_cut = len(totals) >= DIGESTS_MAX
    found = [
        one.bucket
        for one in told
        if not (one.bucket.startswith(DAY_BUCKET_PREFIX) and one.bucket < oldest)
        and not (is_cut and one.bucket not in totals)
        and totals.get(one.bucket, 0).to_bytes(32, "big") != one.digest
    ]
    is_missing = bool(told) and REFERENCE_BUCKET in totals and REFERENCE_BUCKET not in {one.bucket for one in told}
    return (*([REFERENCE_BUCKET] if is_missing else []), *found)[:BUCKETS_MAX]


def _center(standing: CenterStanding, totals: Totals | None, begun_ms: int, known: _Center | None) -> _Center:
    """What is known of a centre after a reading; sums that are known at the same head stand."""
    is_same = known is not None and known.standing.head == standing.head and standing.has_digests
    return _Center(standing, known.totals if totals is None and known is not None and is_same else totals, begun_ms)


def _journals(device: _Device) -> list[tuple[JournalKey, JournalPosition]]:
    """The journals of a device that are remembered."""
    center_id, device_id = device.standing.center_id, device.standing.device_id
    return [((center_id, device_id, incarnation), end) for incarnation, end in device.journals.items()]


def _later(key: JournalKey, end: JournalPosition, read: Readings) -> JournalPosition:
    """Where a journal ends after a reading; this process may have stored more of it since."""
    if key not in read.moved or end.seq > read.asked.journals[key]:
        return end
    return read.moved[key] or beginning_of(key[1], key[2])


def beginning_of(device_id: str, incarnation: str) -> JournalPosition:
    """Give where a journal stands of which nothing is stored."""
    start = genesis(device_id, incarnation)
    return JournalPosition(incarnation, start.seq, start.hash)
