"""The pages of the dashboard: what is around each of them, and their words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from server.web.assets import shipped_assets
from server.web.pages import FramedPages, Page


@dataclass(frozen=True, slots=True)
class CenterFrame:
    """The centre that a page is about; `may_manage`: whether its user may settle and enrol there."""

    id: str
    name: str
    time_zone: str
    may_manage: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around a page: who looks at it, the token of its forms, and where it belongs."""

    title: str
    user_name: str = ""
    form_token: str = ""
    center: CenterFrame | None = None
    section: str = ""
    script: str = ""
    wall: bool = False


def dashboard_page(template: str, frame: Frame, **values: Any) -> Page:
    """Make a page of the dashboard."""
    return _PAGES.page(template, frame=frame, assets=f"/dashboard/assets/{shipped_assets().version}", **values)


def clock_time(moment: datetime | None) -> str:
    """A time of day as the centre's clocks show it."""
    return "not known" if moment is None else moment.strftime("%H:%M")


def day_and_time(moment: datetime | None) -> str:
    """A day and a time with its offset, to be understood when it is on paper."""
    return "not known" if moment is None else f"{moment:%Y-%m-%d %H:%M} {moment:%z}"


def gap_words(gap: str) -> str:
    """Why a desk could hold something that is not here."""
    return _GAPS.get(gap, gap.replace("_", " "))


# As static/words.js says them.
_GAPS: Final = {
    "never_heard": "has never been heard",
    "entries_wait": "has entries that have not arrived",
    "queue_unknown": "has not said whether entries wait",
    "silent": "is silent and may have recorded something since",
}
_PAGES: Final = FramedPages(
    "dashboard", {"clock_time": clock_time, "day_and_time": day_and_time, "gap_words": gap_words}
)
