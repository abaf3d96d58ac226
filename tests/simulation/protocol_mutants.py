"""Planted defects in what heals by itself: forks, restored servers, buckets that differ, revoked devices, leases."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

import kiosk.store.journal
import kiosk.store.snapshots
from kiosk.services.witnessed import Witnessed
from kiosk.store.incarnations import IncarnationStore
from kiosk.store.progress import Progress, ProgressStore
from kiosk.store.snapshots import SnapshotStore
from sync import effects as do
from sync import events as on
from sync.device_downloads import DeviceDownloads
from sync.device_uploads import DeviceUploads
from sync.errors import CloseCode
from sync.messages import JournalPosition, Plan, SnapshotPart, StagedSnapshot
from sync.server_downloads import ServerDownloads
from sync.server_rights import ServerRights
from sync.server_session import ServerSession
from tests.simulation.model_store import ModelServerStore, Reader

Patch = tuple[object, str, Any]


def forget_to_close_a_revoked_socket() -> Sequence[Patch]:
    """The server hears that a device was revoked, and goes on serving it over the link that is there."""
    shipped = ServerSession._about_rights

    def about_rights(self: ServerSession, event: Any, now_ms: int) -> Any:
        if isinstance(event, on.RightsLost) and event.code is CloseCode.REVOKED:
            return ()
        return shipped(self, event, now_ms)

    return [(ServerSession, "_about_rights", about_rights)]


def revoked_entries_count() -> Sequence[Patch]:
    """The server takes what a revoked device says for true."""
    shipped = ModelServerStore._taken_in

    def taken_in(self: ModelServerStore, key: Any, fresh: Any, reader: Reader) -> Any:
        return shipped(self, key, fresh, msgspec.structs.replace(reader, is_entitled=True))

    return [(ModelServerStore, "_taken_in", taken_in)]


def revoked_device_forgets_at_once() -> Sequence[Patch]:
    """A revoked device destroys its replica before everything in it was handed over."""
    shipped = DeviceUploads.welcomed

    def welcomed(self: DeviceUploads, welcome: Any, now_ms: int, *, is_revoked: bool = False) -> Any:
        if not is_revoked:
            return shipped(self, welcome, now_ms)
        self._is_revoked = True
        return self._nothing_left()

    return [(DeviceUploads, "welcomed", welcomed)]


def fork_goes_on_in_the_same_journal() -> Sequence[Patch]:
    """The desk goes on in a journal that the server knows otherwise, whether it sees so itself or is told."""
    import sync.device_uploads

    def contradicts(_self: Any, _stored: JournalPosition) -> bool:
        return False

    return [
        (sync.device_uploads._Journal, "contradicts", contradicts),
        (DeviceUploads, "fork_found", lambda _self, _fork: ()),
    ]


def fork_drops_what_was_unanswered() -> Sequence[Patch]:
    """A desk that begins another incarnation leaves the unanswered entries behind."""
    return [(IncarnationStore, "_move_waiting", lambda _self, _forked, _pen: 0)]


def outcomes_of_another_life_are_kept() -> Sequence[Patch]:
    """After a restore the desk offers its entries again, and keeps what it was told of them before."""

    def offer_from(_self: DeviceUploads, journal: Any, stored_seq: int) -> None:
        journal.offered_seq = stored_seq

    return [(DeviceUploads, "_offer_from", offer_from)]


def nobody_witnesses() -> Sequence[Patch]:
    """A desk that reconciles lets go of the facts of other desks that the server lost."""
    return [(SnapshotStore, "_witness", lambda _self, _part, _records, _pen, _wall_ms: None)]


def another_life_is_a_plain_snapshot() -> Sequence[Patch]:
    """The server does not tell a desk that it lives another life."""
    import sync.server_session

    shipped = sync.server_session._plan_for

    def plan_for(hello: Any, device: Any, *, protocol: int) -> Plan:
        plan = shipped(hello, device, protocol=protocol)
        return Plan.SNAPSHOT if plan is Plan.RECONCILE else plan

    return [(sync.server_session, "_plan_for", plan_for)]


def differing_buckets_are_left() -> Sequence[Patch]:
    """The desk hears which of its buckets differ, and asks for none."""
    return [(DeviceDownloads, "_repair", lambda _self, _buckets: ())]


def digests_are_not_compared() -> Sequence[Patch]:
    """The server takes every replica at the head for equal."""
    return [(ModelServerStore, "_differing", lambda _self, _told: ())]


def repair_at_another_position() -> Sequence[Patch]:
    """A bucket is sent as it stands now, wherever the device stands, and the device takes it."""
    shipped, shipped_check = ServerDownloads.bucket_loaded, kiosk.store.snapshots._check_place

    def bucket_loaded(self: ServerDownloads, bucket: on.BucketLoaded) -> Any:
        shipped(self, bucket)
        self._bucket = bucket
        self._loading = None
        self._parts = None
        return self._send_bucket(bucket)

    def check_place(part: SnapshotPart, progress: Progress) -> None:
        if not part.bucket:
            shipped_check(part, progress)

    return [(ServerDownloads, "bucket_loaded", bucket_loaded), (kiosk.store.snapshots, "_check_place", check_place)]


def snapshot_goes_on_anywhere() -> Sequence[Patch]:
    """The server goes on with a snapshot behind the parts a device has, though they are of another position."""
    shipped = ServerDownloads.snapshot_loaded

    def snapshot_loaded(self: ServerDownloads, snapshot: on.SnapshotLoaded) -> Any:
        staged = self._staged
        if 0 < staged.part < len(snapshot.frames):
            head = snapshot.head
            self._staged = StagedSnapshot(head.epoch, head.version, staged.part, len(snapshot.frames))
        return shipped(self, snapshot)

    return [(ServerDownloads, "snapshot_loaded", snapshot_loaded)]


def slow_down_for_ever() -> Sequence[Patch]:
    """A desk that was asked to slow down never pushes again."""

    def slow_down(self: DeviceUploads, _delay_ms: int, now_ms: int) -> None:
        self._not_before_ms = now_ms + 10**9

    return [(DeviceUploads, "slow_down", slow_down)]


def lease_ignored() -> Sequence[Patch]:
    """A desk works on for ever without the server."""
    return [(Progress, "is_lease_over", property(lambda _self: False))]


def challenge_never_answered() -> Sequence[Patch]:
    """The server asks for no proof, and lets the device's token run out."""
    return [(ServerRights, "timer_fired", _only_the_end)]


def _only_the_end(self: ServerRights, now_ms: int, *, may_challenge: bool) -> tuple[do.ServerEffect, ...]:
    del may_challenge
    return _SHIPPED_TIMER(self, now_ms, may_challenge=False)


_SHIPPED_TIMER: Callable[..., tuple[do.ServerEffect, ...]] = ServerRights.timer_fired


def dropped_days_are_not_written_down() -> Sequence[Patch]:
    """A desk drops old days and does not know of it afterwards."""
    return [(ProgressStore, "days_dropped", _nothing_noted)]


def _nothing_noted(self: ProgressStore, before: str) -> None:
    del self, before


def entries_are_kept_for_a_day() -> Sequence[Patch]:
    """A desk drops answered entries before they could heal a server that was restored."""
    return [(kiosk.store.journal, "JOURNAL_RETENTION_MS", 86_400_000)]


def what_was_witnessed_does_not_count() -> Sequence[Patch]:
    """What a restored server has lost is off the screen until it is back."""
    return [(Witnessed, "counting", lambda _self, _child_id, _version, **_more: ())]


PROTOCOL_MUTANTS: Sequence[Callable[[], Sequence[Patch]]] = (
    forget_to_close_a_revoked_socket,
    revoked_entries_count,
    revoked_device_forgets_at_once,
    fork_goes_on_in_the_same_journal,
    fork_drops_what_was_unanswered,
    outcomes_of_another_life_are_kept,
    nobody_witnesses,
    another_life_is_a_plain_snapshot,
    differing_buckets_are_left,
    digests_are_not_compared,
    repair_at_another_position,
    snapshot_goes_on_anywhere,
    slow_down_for_ever,
    lease_ignored,
    challenge_never_answered,
    dropped_days_are_not_written_down,
    entries_are_kept_for_a_day,
    what_was_witnessed_does_not_count,
)
