"""The use-cases that the doors may ask, in one object that the composition root fills."""

from dataclasses import dataclass

from server.services.absence_days import AbsenceDays
from server.services.absence_follow_up import AbsenceFollowUp
from server.services.absences import Absences
from server.services.access import Centers
from server.services.account_limits import AccountLimits
from server.services.accounts import Accounts
from server.services.adults import Adults
from server.services.alerts import Alerts
from server.services.analytics import Analytics
from server.services.attendance import Attendance
from server.services.audit import Audit
from server.services.auth import Auth
from server.services.barcodes import Barcodes
from server.services.bookings import Bookings
from server.services.browser_sessions import BrowserSessions
from server.services.calendar_feeds import CalendarFeeds
from server.services.center_days import CenterDays
from server.services.children import Children
from server.services.desk_entries import DeskEntries
from server.services.devices import Devices
from server.services.door import Door
from server.services.enrolment import Enrolment
from server.services.erasures import Erasures
from server.services.expected import Expected
from server.services.exports import Exports
from server.services.family_live import FamilyLive
from server.services.guardian_accounts import GuardianAccounts
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.invitations import Invitations
from server.services.live_board import LiveBoards
from server.services.members import Members
from server.services.my_absences import MyAbsences
from server.services.my_attendance import MyAttendance
from server.services.my_children import MyChildren
from server.services.my_notifications import MyNotifications
from server.services.my_pickups import MyPickups
from server.services.my_statements import MyStatements
from server.services.my_stays import MyStays
from server.services.notifications import Notifications
from server.services.offers import Offers
from server.services.own_account import OwnAccount
from server.services.own_erasure import OwnErasure
from server.services.people_days import PeopleDays
from server.services.photos import Photos
from server.services.pickups import Pickups
from server.services.premises import Premises
from server.services.presence import PresenceReports
from server.services.projections import Projections
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.recoveries import Recoveries
from server.services.relationships import Relationships
from server.services.repeats import Repeats
from server.services.reports import Reports
from server.services.reviews import Reviews
from server.services.rollcalls import RollCallReports
from server.services.roster_import import RosterImport
from server.services.schedules import Schedules
from server.services.sessions import Sessions
from server.services.set_aside import SetAside
from server.services.staff import Staff
from server.services.statements import Statements
from server.services.stay_evidence import StayEvidence
from server.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class ParentApps:
    """What parents' apps ask; exports are asked for by managers too."""

    absences: MyAbsences
    attendance: MyAttendance
    calendar: CalendarFeeds
    exports: Exports
    live: FamilyLive
    children: MyChildren
    notifications: MyNotifications
    pickups: MyPickups
    statements: MyStatements
    stays: MyStays


@dataclass(frozen=True, slots=True)
class Services:
    """One of each."""

    absence_days: AbsenceDays
    account_limits: AccountLimits
    absence_follow_up: AbsenceFollowUp
    absences: Absences
    analytics: Analytics
    audit: Audit
    auth: Auth
    accounts: Accounts
    attendance: Attendance
    barcodes: Barcodes
    bookings: Bookings
    browser_sessions: BrowserSessions
    center_days: CenterDays
    centers: Centers
    desk_entries: DeskEntries
    devices: Devices
    door: Door
    enrolment: Enrolment
    erasures: Erasures
    expected: Expected
    health: Health
    incidents: Incidents
    live_boards: LiveBoards
    invitations: Invitations
    members: Members
    own_account: OwnAccount
    parents: ParentApps
    own_erasure: OwnErasure
    offers: Offers
    people_days: PeopleDays
    projections: Projections
    recoveries: Recoveries
    reports: Reports
    reviews: Reviews
    sessions: Sessions
    set_aside: SetAside
    premises: Premises
    presence: PresenceReports
    rollcalls: RollCallReports
    notifications: Notifications
    ratio: Ratio
    ratio_rules: RatioRules
    roster_import: RosterImport
    schedules: Schedules
    staff: Staff
    statements: Statements
    stay_evidence: StayEvidence
    adults: Adults
    alerts: Alerts
    children: Children
    guardian_accounts: GuardianAccounts
    photos: Photos
    pickups: Pickups
    relationships: Relationships
    repeats: Repeats
    webhooks: Webhooks
