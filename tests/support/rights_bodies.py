"""What is sent to each route when somebody tries it: whole and valid, and made anew for each try."""

from collections.abc import Callable
from typing import Any, Final

from tests.contract.server_world import new_id
from tests.support.api import PASSWORD
from tests.support.rights_world import (
    Place,
    absence,
    address,
    alert,
    barcode,
    day,
    days,
    erasure,
    hold,
    my_absence,
    service,
    webhook,
    workday,
)

FIRST_DAY, LAST_DAY = "2026-09-21", "2026-09-25"


def _person(_place: Place) -> dict[str, Any]:
    return {"id": new_id(), "given_name": "Noor", "family_name": "Aziz"}


def _booking(place: Place) -> dict[str, Any]:
    ids = place.ids
    return {"id": new_id(), "child_id": ids["child_id"], "service_id": ids["service_id"], "day": workday()}


def _schedule(place: Place) -> dict[str, Any]:
    ids = place.ids
    return {
        "id": new_id(), "child_id": ids["child_id"], "service_id": ids["service_id"], "weekdays": [2],
        "first_day": day(),
    }  # fmt: skip


def _announcement(place: Place) -> dict[str, Any]:
    more = {"phone": "12345678", "relationship": "aunt", "day": "2026-09-22", "password": PASSWORD}
    return {**_person(place), **more}


BODIES: Final[dict[str, Callable[[Place], dict[str, Any]]]] = {
    "AbsenceIn": absence,
    "AbsenceTermsIn": lambda _: {"kind": "sick"},
    "AcceptIn": lambda _: {"token": "a" * 43, "display_name": "Noor", "password": PASSWORD},
    "AccountLinkIn": lambda place: {"user_id": place.ids["account_user_id"]},
    "AdultChangeIn": lambda _: {},
    "AdultIn": _person,
    "AlertChangeIn": lambda _: {},
    "AlertIn": alert,
    "AnnouncementIn": _announcement,
    "VerdictIn": lambda _: {"entry": "0" * 64, "verdict": "dismissed"},
    "AnswerIn": lambda place: {
        "finding": place.ids["finding"], "answer": place.ids["answer"], "reason": "They were seen",
    },
    "AppEntryIn": lambda _: {"event_id": new_id(), "kind": "check_in", "code": "CCCC CCCC"},
    "BarcodeIn": barcode,
    "BatchIn": lambda place: {"mode": "each", "items": [_booking(place)]},
    "BookScheduleIn": lambda _: {"weeks": 1},
    "BookingIn": _booking,
    "CancelIn": lambda _: {},
    "CenterChangeIn": lambda _: {},
    "CenterIn": lambda _: {"id": new_id(), "code": new_id(), "name": "A new house", "time_zone": "Europe/Lisbon"},
    "ChildChangeIn": lambda _: {},
    "ChildIn": _person,
    "ConfirmIn": lambda _: {"event_id": new_id()},
    "ConfirmationIn": lambda _: {"reason": "left", "password": PASSWORD},
    "DaysIn": days,
    "DecisionIn": lambda _: {"decision": "confirm"},
    "DeviceTokenIn": lambda _: {"nonce": "A" * 43, "signature": "A" * 86},
    "DisputeIn": lambda _: {"event_id": new_id(), "reason": "At home"},
    "EmploymentIn": lambda _: {"employed_from": None, "employed_to": None},
    "EndScheduleIn": lambda _: {"last_day": "2027-12-01"},
    "EnrolIn": lambda _: {"code": "AAAA-AAAA-AAAA", "public_key": "A" * 43},
    "EnrolmentCodeIn": lambda _: {},
    "EnrolmentIn": lambda _: {"enrolled_from": None, "enrolled_to": None},
    "EntryIn": lambda place: {"kind": "check_in", "event_id": new_id(), "child_id": place.ids["child_id"]},
    "ErasureIn": erasure,
    "ExportPasswordIn": lambda _: {"password": PASSWORD},
    "ExportTokenIn": lambda _: {"token": "a" * 64},
    "FamilyCodeIn": lambda _: {},
    "FollowUpIn": lambda _: {"follow_up_id": new_id(), "day": FIRST_DAY, "result": "reached"},
    "HoldIn": hold,
    "InvitationIn": lambda _: {"email": address(), "role": "parent"},
    "MeChange": lambda _: {"display_name": "Somebody"},
    "MyAbsenceIn": my_absence,
    "MemberChangeIn": lambda _: {"is_active": True},
    "NewPasswordIn": lambda _: {"token": "a" * 43, "password": "nine loud purple doors"},
    "OwnErasureIn": lambda _: {"password": "wrong as can be, twice"},
    "PasswordChange": lambda _: {"old_password": "wrong as can be, twice", "new_password": "short"},
    "NotificationsIn": lambda place: {"items": [{"child_id": place.ids["child_id"], "kinds": ["checked_in"]}]},
    "PickupChangeIn": lambda _: {},
    "PickupIn": lambda place: {"id": new_id(), "adult_id": place.ids["adult_id"], "status": "authorised"},
    "PinIn": lambda _: {"pin": "839204"},
    "RatioRulesIn": lambda _: {"effective_from": day(), "preset": "england"},
    "RecoveryIn": lambda _: {"email": "nobody@example.org"},
    "RoomChangeIn": lambda _: {},
    "RoomIn": lambda _: {"id": new_id(), "name": "Ants"},
    "StaffChangeIn": lambda _: {},
    "StaffIn": lambda place: {**_person(place), "role": "educator"},
    "RefreshIn": lambda _: {"refresh_token": "a" * 43},
    "ReplayIn": lambda _: {"from_version": 1},
    "RelationshipIn": lambda _: {"kind": "aunt"},
    "ScheduleIn": _schedule,
    "ServiceIn": service,
    "TermsIn": lambda _: {"price": "25.50"},
    "WebhookChangeIn": lambda _: {},
    "WebhookIn": webhook,
}  # fmt: skip
