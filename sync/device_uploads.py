"""The device's half of uploading: which entry of which journal is offered next, and what its answers mean.

A device has one journal that it writes and, after a fork or a repair of its disk, older ones that it only keeps. Each
is offered from whatever the server says it has stored, the oldest journal first. What must happen before (outcomes that
the server forgot are taken back, a forked journal is continued under another incarnation) waits as a chore; a chore, a
read, a push and the storing of its answer never overlap.
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum

from sync import effects as do
from sync import events as on
from sync.codec import encode
from sync.effects import DeviceEffect
from sync.errors import demand, require
from sync.journal import Entry
from sync.limits import ACKNOWLEDGEMENT_DEADLINE_MS, SLOW_DOWN_MAX_MS
from sync.messages import ForkFound, JournalPosition, Plan, Push, PushStored, Welcome
from sync.push_size import PushSize

Effects = tuple[DeviceEffect, ...]

# A journal that forks again and again within one link means that the peer is not sound.
FORKS_MAX = 3


class Upload(Enum):
    """Where the upload stands; only after Welcome anything but IDLE."""

    IDLE = "idle"
    READING = "reading"
    AWAITING_ACKNOWLEDGEMENT = "awaiting_acknowledgement"
    STORING_OUTCOMES = "storing_outcomes"
    REOPENING = "reopening"
    BEGINNING_INCARNATION = "beginning_incarnation"
    DESTROYING = "destroying"


class _Journal:
    """One journal as this link sees it: its end, what is settled here, and from where it is offered."""

    def __init__(self, standing: on.JournalStanding) -> None:
        self.incarnation = standing.incarnation
        self.seq = standing.seq
        self.hash = standing.hash
        self.settled_seq = standing.settled_seq
        self.offered_seq = standing.seq
        self.stored_seq = standing.seq

    @property
    def has_more(self) -> bool:
        """Whether entries are to be offered."""
        return self.offered_seq < self.seq

    def contradicts(self, stored: JournalPosition) -> bool:
        """Whether the server's journal cannot be the beginning of this one."""
        return stored.seq > self.seq or (stored.seq == self.seq and stored.hash != self.hash)


class DeviceUploads:
    """Owned by one `DeviceSession`, which hands it the events that are about uploads."""

    def __init__(self, progress: on.ProgressRead, now_ms: int) -> None:
        """Begin with what the device read of itself; nothing is offered before `welcomed`."""
        self.state = Upload.IDLE
        self.queue_depth = progress.queue_depth
        self._current = _Journal(progress.journal)
        self._older = [_Journal(standing) for standing in progress.older]
        self._chores: deque[do.ReopenEntries | do.BeginIncarnation] = deque()
        self._is_welcome = False
        self._is_revoked = False
        self._pushing: _Journal | None = None
        self._pushed: tuple[Entry, ...] = ()
        self._pushed_ms = now_ms
        self._push_size = PushSize()
        self._not_before_ms = now_ms
        self._forking: _Journal | None = None
        self._forks = 0
        self._early: dict[str, int] = {}

    @property
    def deadline(self) -> tuple[int, str] | None:
        """By when the acknowledgement must have come, or when the next push may go; with a reason if it is too late."""
        if self.state is Upload.AWAITING_ACKNOWLEDGEMENT:
            return (self._pushed_ms + ACKNOWLEDGEMENT_DEADLINE_MS, "a push was not acknowledged")
        if self._is_welcome and self.state is Upload.IDLE and self._next_journal() is not None:
            return (self._not_before_ms, "")
        return None

    def welcomed(self, welcome: Welcome, now_ms: int, *, is_revoked: bool = False) -> Effects:
        """Compare every journal with what the server has of it, and begin."""
        self._is_welcome, self._is_revoked = True, is_revoked
        self._push_size.bound(welcome.push_entries_max)
        told = {position.incarnation: position for position in welcome.older}
        told[self._current.incarnation] = JournalPosition(
            self._current.incarnation, welcome.stored_seq, welcome.stored_hash
        )
        for journal in (*self._older, self._current):
            if journal.incarnation in told:
                self._compare(journal, told[journal.incarnation], is_other_life=welcome.plan is Plan.RECONCILE)
        return self.go_on(now_ms)

    def _compare(self, journal: _Journal, stored: JournalPosition, *, is_other_life: bool) -> None:
        """Decide from where a journal is offered, and what must happen before."""
        journal.stored_seq = stored.seq
        if is_other_life:
            # Whatever the other life answered is void, and a clone may have told it another story under these numbers.
            self._reopen(journal, 0)
        if not journal.contradicts(stored):
            self._offer_from(journal, stored.seq)
        elif journal is self._current:
            # Nobody knows where the two parted, nor whether it was this life of the server that answered.
            self._reopen(journal, 0)
            self._chores.append(do.BeginIncarnation(journal.incarnation))
        elif journal.settled_seq < journal.seq:
            # An older journal may well be longer there; it matters only while it holds something unanswered.
            self._chores.append(do.BeginIncarnation(journal.incarnation))

    def _offer_from(self, journal: _Journal, stored_seq: int) -> None:
        if stored_seq < journal.settled_seq:
            # The server was restored from an older backup: what it answered then, it does not know any more.
            self._reopen(journal, stored_seq)
        # Stored there is not settled here: when its answer was lost, the entries are offered once more.
        journal.offered_seq = min(stored_seq, journal.settled_seq)

    def _reopen(self, journal: _Journal, after_seq: int) -> None:
        if journal.settled_seq > after_seq:
            self._chores.append(do.ReopenEntries(journal.incarnation, after_seq))
            journal.settled_seq = after_seq

    @property
    def has_chores(self) -> bool:
        """Whether something must still happen to the journals here before they say what they should."""
        chore = (Upload.REOPENING, Upload.BEGINNING_INCARNATION)
        return bool(self._chores) or self.state in chore

    # -- what to do next

    def go_on(self, now_ms: int) -> Effects:
        """Begin the next chore or the next push, if nothing is under way."""
        if not self._is_welcome or self.state is not Upload.IDLE:
            return ()
        if self._chores:
            return self._begin(self._chores.popleft())
        journal = self._next_journal()
        if journal is None:
            return self._nothing_left()
        if now_ms < self._not_before_ms:
            return ()
        self._pushing = journal
        self.state = Upload.READING
        return (do.ReadEntries(journal.incarnation, journal.offered_seq, self._push_size.entries),)

    def _begin(self, chore: do.ReopenEntries | do.BeginIncarnation) -> Effects:
        if isinstance(chore, do.ReopenEntries):
            self.state = Upload.REOPENING
        else:
            self.state = Upload.BEGINNING_INCARNATION
            self._forking = self._journal(chore.incarnation)
        return (chore,)

    def _journal(self, incarnation: str) -> _Journal:
        return next(one for one in (*self._older, self._current) if one.incarnation == incarnation)

    def _next_journal(self) -> _Journal | None:
        return next((journal for journal in (*self._older, self._current) if journal.has_more), None)

    def _nothing_left(self) -> Effects:
        if not self._is_revoked:
            return ()
        self.state = Upload.DESTROYING
        return (do.DestroyReplica(),)

    # -- events

    def entry_recorded(self, recorded: on.EntryRecorded, now_ms: int) -> Effects:
        """The journal grew; a word about a journal that is not the current one may be early, or late."""
        if recorded.incarnation != self._current.incarnation:
            self._early[recorded.incarnation] = recorded.seq
        elif recorded.seq > self._current.seq:
            self.queue_depth += recorded.seq - self._current.seq
            self._current.seq = recorded.seq
        return self.go_on(now_ms)

    def entries_read(self, entries: Sequence[Entry], now_ms: int) -> Effects:
        """Push what was read. Entries that the server wants and that are no longer kept here end this journal."""
        require(self.state is Upload.READING, "entries were read out of turn")
        journal = self._journal_pushed()
        # Entries that were answered long ago are not kept; the server must have had them.
        if not entries or entries[0].seq > max(journal.offered_seq, journal.stored_seq) + 1:
            return self._begin(do.BeginIncarnation(journal.incarnation))
        self.state = Upload.AWAITING_ACKNOWLEDGEMENT
        self._pushed, self._pushed_ms = tuple(entries), now_ms
        return (do.SendFrame(encode(Push(self._pushed))),)

    def acknowledged(self, stored: PushStored, now_ms: int) -> Effects:
        """Take the server's answer to the push under way."""
        demand(self.state is Upload.AWAITING_ACKNOWLEDGEMENT, "PushStored without a push")
        journal = self._journal_pushed()
        if not stored.outcomes:
            return self._asked_to_resend(journal, stored, now_ms)
        last = self._pushed[-1]
        answered = tuple((outcome.seq, outcome.event_id) for outcome in stored.outcomes)
        demand(answered == tuple((e.seq, e.event_id) for e in self._pushed), "outcomes of other entries")
        demand(stored.through_seq == last.seq and stored.hash == last.hash, "another entry was stored")
        self.state = Upload.STORING_OUTCOMES
        self._push_size.answered(now_ms - self._pushed_ms)
        self._pushed = ()
        return (do.StoreOutcomes(journal.incarnation, stored),)

    def _asked_to_resend(self, journal: _Journal, stored: PushStored, now_ms: int) -> Effects:
        demand(stored.through_seq < self._pushed[0].seq - 1, "a resend from where we were")
        self.state, self._pushed = Upload.IDLE, ()
        self._reopen(journal, stored.through_seq)
        journal.offered_seq = journal.stored_seq = stored.through_seq
        return self.go_on(now_ms)

    def fork_found(self, fork: ForkFound) -> Effects:
        """The server holds another entry under a number of the push under way.

        Nobody knows where the two parted, so even what is settled here is told again; the server knows the events it
        has by their ids.
        """
        demand(self.state is Upload.AWAITING_ACKNOWLEDGEMENT, "ForkFound without a push")
        journal = self._journal_pushed()
        demand(fork.incarnation == journal.incarnation, "a fork of another journal")
        self._forks += 1
        demand(self._forks <= FORKS_MAX, "a fork again and again")
        self.state, self._pushed = Upload.IDLE, ()
        self._reopen(journal, 0)
        self._chores.append(do.BeginIncarnation(journal.incarnation))
        return self._begin(self._chores.popleft())

    def outcomes_stored(self, stored: on.OutcomesStored, now_ms: int) -> Effects:
        """The answer is durable here."""
        require(self.state is Upload.STORING_OUTCOMES, "outcomes were stored out of turn")
        journal = self._journal_pushed()
        self.state = Upload.IDLE
        journal.offered_seq = stored.through_seq
        journal.settled_seq = max(journal.settled_seq, stored.through_seq)
        self.queue_depth = stored.queue_depth
        return self.go_on(now_ms)

    def chore_done(self, event: on.EntriesReopened | on.IncarnationBegun, now_ms: int) -> Effects:
        """Something that had to happen to a journal is durable."""
        if isinstance(event, on.EntriesReopened):
            return self.entries_reopened(event, now_ms)
        return self.incarnation_begun(event, now_ms)

    def entries_reopened(self, reopened: on.EntriesReopened, now_ms: int) -> Effects:
        """Outcomes were taken back; the entries are offered again."""
        require(self.state is Upload.REOPENING, "entries were reopened out of turn")
        self.state = Upload.IDLE
        self.queue_depth = reopened.queue_depth
        return self.go_on(now_ms)

    def incarnation_begun(self, begun: on.IncarnationBegun, now_ms: int) -> Effects:
        """What the forked journal still had to tell now stands in the current one."""
        require(self.state is Upload.BEGINNING_INCARNATION, "an incarnation was begun out of turn")
        self.state = Upload.IDLE
        self.queue_depth = begun.queue_depth
        forked = self._forking
        assert forked is not None
        # In this link its entries are told under another name; the next Welcome looks at it again.
        forked.offered_seq = forked.seq
        if forked is self._current:
            self._older.append(forked)
            self._current = _Journal(begun.journal)
            self._current.offered_seq = 0
        else:
            self._current.seq = begun.journal.seq
        early_seq = self._early.pop(self._current.incarnation, 0)
        return self.entry_recorded(on.EntryRecorded(early_seq, self._current.incarnation), now_ms)

    def replica_destroyed(self) -> None:
        """Nothing of this device is left."""
        require(self.state is Upload.DESTROYING, "a replica was destroyed that nobody asked for")

    def destruction_refused(self, refused: on.DestructionRefused, now_ms: int) -> Effects:
        """Somebody recorded an entry at the last moment: it is told first."""
        require(self.state is Upload.DESTROYING, "a destruction was refused out of turn")
        self.state = Upload.IDLE
        return self.entry_recorded(on.EntryRecorded(refused.seq, refused.incarnation), now_ms)

    def slow_down(self, delay_ms: int, now_ms: int) -> None:
        """The server asks for less, and for some time."""
        self._push_size.slow_down()
        self._not_before_ms = now_ms + min(delay_ms, SLOW_DOWN_MAX_MS)

    def _journal_pushed(self) -> _Journal:
        assert self._pushing is not None
        return self._pushing
