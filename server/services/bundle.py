"""The use-cases that the doors may ask, in one object that the composition root fills."""

from dataclasses import dataclass

from server.services.access import Centers
from server.services.accounts import Accounts
from server.services.attendance import Attendance
from server.services.auth import Auth
from server.services.auto_close import AutoClose
from server.services.browser_sessions import BrowserSessions
from server.services.center_days import CenterDays
from server.services.desk_entries import DeskEntries
from server.services.devices import Devices
from server.services.enrolment import Enrolment
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.live_board import LiveBoards
from server.services.notifications import Notifications
from server.services.presence import PresenceReports
from server.services.projections import Projections
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.reviews import Reviews
from server.services.rollcalls import RollCallReports
from server.services.roster_import import RosterImport
from server.services.stay_evidence import StayEvidence


@dataclass(frozen=True, slots=True)
class Services:
    """One of each."""

    auth: Auth
    accounts: Accounts
    attendance: Attendance
    auto_close: AutoClose
    browser_sessions: BrowserSessions
    center_days: CenterDays
    centers: Centers
    desk_entries: DeskEntries
    devices: Devices
    enrolment: Enrolment
    health: Health
    incidents: Incidents
    live_boards: LiveBoards
    projections: Projections
    reviews: Reviews
    presence: PresenceReports
    rollcalls: RollCallReports
    notifications: Notifications
    ratio: Ratio
    ratio_rules: RatioRules
    roster_import: RosterImport
    stay_evidence: StayEvidence
