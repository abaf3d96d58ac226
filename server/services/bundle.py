"""The use-cases that the doors may ask, in one object that the composition root fills."""

from dataclasses import dataclass

from server.services.access import Centers
from server.services.accounts import Accounts
from server.services.attendance import Attendance
from server.services.auth import Auth
from server.services.devices import Devices
from server.services.enrolment import Enrolment
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.roster_import import RosterImport


@dataclass(frozen=True, slots=True)
class Services:
    """One of each."""

    auth: Auth
    accounts: Accounts
    attendance: Attendance
    centers: Centers
    devices: Devices
    enrolment: Enrolment
    health: Health
    incidents: Incidents
    ratio: Ratio
    ratio_rules: RatioRules
    roster_import: RosterImport
