"""What a desk refuses to record or to show, with the words for it; a desk that is locked names nobody."""

from kiosk.messages import DeskStatus, Presence
from kiosk.services import roster as rosters
from kiosk.services.children import child_of, is_known
from kiosk.services.errors import DeskError
from kiosk.services.following import Following
from kiosk.services.moments import clock_words, day_words
from kiosk.services.roster import Collector
from sync.resemblance import Resemblance, resemblance


def locked_words(status: DeskStatus) -> str:
    """Why a desk shows no data, and what to do."""
    since = day_words(status.data_as_of_ms, status.time_zone)
    return (
        f"This desk has not been in touch with the server since {since}, so it shows no names any more. "
        "Connect it to the network: it opens by itself as soon as the server answers. Nothing recorded is lost."
    )


class Refusals:
    """Raises DeskError for what this desk can know to be wrong."""

    def __init__(self, following: Following) -> None:
        self._following = following

    def require_alive(self) -> None:
        """Raises revoked."""
        if self._following.last_words:
            raise DeskError("revoked", self._following.last_words)

    def require_unlocked(self) -> None:
        """Raises revoked or locked."""
        self.require_alive()
        if self._following.is_locked:
            raise DeskError("locked", locked_words(self._following.status()))

    def require_known(self, child_id: str) -> None:
        """Raises revoked or unknown_child."""
        self.require_alive()
        if not is_known(self._following.knowledge, child_id):
            raise DeskError("unknown_child", "No such child is on this desk's roster; search for the name.")

    def require_name(self, child_id: str) -> None:
        """Raises unknown_child for one who lost its file and has no provisional name: no server takes its arrival."""
        child = child_of(self._following.knowledge, child_id)
        if not (child.is_on_file or child.provisional_name):
            raise DeskError("unknown_child", "This child is no longer on file; take it in under its name with ^G.")

    def require_not_in(self, child_id: str) -> None:
        """Raises already_in."""
        stand = self._standing(child_id)
        if stand.status is Presence.IN:
            raise DeskError("already_in", f"{self.called(child_id)} is in since {self._words(stand.since_ms)}.")

    def require_in(self, child_id: str, occurred_at_ms: int | None) -> None:
        """Raises already_out, or bad_input for a time before the child came."""
        name, stand = self.called(child_id), self._standing(child_id)
        if stand.status is Presence.OUT:
            raise DeskError("already_out", f"{name} left at {self._words(stand.since_ms)}.")
        if stand.status is Presence.NOT_ARRIVED:
            raise DeskError("already_out", f"{name} has not been checked in today.")
        if occurred_at_ms is not None and stand.since_ms is not None and occurred_at_ms < stand.since_ms:
            raise DeskError("bad_input", f"{name} came at {self._words(stand.since_ms)}; the time given is earlier.")

    def require_may_collect(self, child_id: str, adult_id: str, adult_name: str) -> None:
        """Raises unknown_adult or not_authorised."""
        self.require_on_list(child_id, adult_id)
        for one in rosters.collectors(self._following.knowledge, child_id, self._following.today()):
            is_meant = one.adult_id == adult_id or resemblance(adult_name, one.name) is Resemblance.SAME
            if is_meant and rosters.is_blocked(one):
                raise DeskError("not_authorised", self._must_not_collect(one, child_id))

    def require_on_list(self, child_id: str, adult_id: str) -> None:
        """Raises unknown_adult; nothing for an adult without an id."""
        known = rosters.collectors(self._following.knowledge, child_id, self._following.today())
        if adult_id and all(one.adult_id != adult_id for one in known):
            raise DeskError("unknown_adult", "This adult is not on the child's pick-up list; give a name instead.")

    def _must_not_collect(self, adult: Collector, child_id: str) -> str:
        today = " today" if adult.status == rosters.NOT_TODAY else ""
        name = "This adult" if self._following.is_locked else adult.name
        child = self.name_of(child_id) or "this child"
        return f"{name} must not collect {child}{today}. Do not release; call the manager."

    def called(self, child_id: str) -> str:
        """How a refusal calls a child."""
        return self.name_of(child_id) or "This child"

    def name_of(self, child_id: str) -> str:
        """The name of a child that is known here; empty when nobody is, or the desk is locked."""
        knowledge = self._following.knowledge
        if self._following.is_locked or not is_known(knowledge, child_id):
            return ""
        return child_of(knowledge, child_id).display_name

    def _standing(self, child_id: str) -> rosters.Standing:
        return rosters.standing(self._following.knowledge, child_id, self._following.span_of_today())

    def _words(self, at_ms: int | None) -> str:
        return clock_words(at_ms, self._following.knowledge.center.time_zone)
