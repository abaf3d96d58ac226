"""A walk over the document of the API: what docs/api.md says of every operation holds for each of them.

A route that really must differ is named below with its reason; an entry that no route needs any more fails as well.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import jsonschema_rs
import pytest

from server.controllers.api_document import codes_of
from server.controllers.api_router import API_PREFIX
from server.core.settings import load_settings
from server.routes import build_app
from tests.support.api import SECRET
from tests.support.clock import FakeClock

Schema = Mapping[str, Any]
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

# Nobody is signed in: there is no account whose key it could be, and a repeat does no harm.
NO_KEY: Final = {
    "POST /auth/token": "signs in",
    "POST /auth/refresh": "a lost answer is given again within 60 s (decision 0029)",
    "POST /auth/log-out": "ends what has ended",
    "POST /auth/recovery": "at most one mail each ten minutes; the answer is always the same",
    "POST /auth/recovery/complete": "the link is good once",
    "POST /auth/invitations/accept": "the link is good once",
    "POST /devices/enrol": "the same code and key get the same answer",
    "POST /devices/{device_id}/nonce": "another nonce is as good",
    "POST /devices/{device_id}/token": "another token is as good",
}
# Whoever knows the address may read.
BY_ADDRESS: Final = {"GET /calendars/{token}.ics": "programs that read calendars send no header"}
PUBLIC: Final = NO_KEY.keys() | BY_ADDRESS.keys()
NOT_REPEATABLE: Final = {
    "POST /my/exports/{export_id}/file": "a file of any length, taken once; a download that broke off is begun again",
    "POST /my/exports/{export_id}/token": "a secret, for the password; asked again it is the same",
}
NO_PAGES: Final = {
    "GET /analytics/centers": "figures of a period beside each other; at most 50 centres, and says when it is cut",
    "GET /centers/{center_id}/board/names": "all who stand behind one number; parts would be of several moments",
    "GET /centers/{center_id}/ratio-rules": "one document that is changed as a whole, with its presets",
    "GET /centers/{center_id}/services/{service_id}/availability": "a day each of a period, at most 62",
}
# Lists whose items are long: the least, the most and the usual number of a page.
LONG_ITEMS: Final = {"GET /my/statements": (1, 12, 6)}  # each is all of a month
NO_STATE: Final = {
    "DELETE /auth/sessions": "many at once; one that ended cannot be ended wrongly",
    "DELETE /auth/sessions/{session_id}": "a session never changes, it ends",
    "DELETE /centers/{center_id}/adults/{adult_id}/account": "a link never changes, it is there or not",
    "DELETE /centers/{center_id}/adults/{adult_id}/barcodes/{barcode_id}": "a card never changes, it is blocked",
    "DELETE /centers/{center_id}/children/{child_id}/barcodes/{barcode_id}": "the same",
    "DELETE /centers/{center_id}/closures/{closure_id}": "a closure never changes, it is there or not",
    "DELETE /centers/{center_id}/erasures/{erasure_id}": "it is asked for or not; what is done is refused (409)",
    "DELETE /centers/{center_id}/invitations/{invitation_id}": "an invitation never changes, it ends",
    "DELETE /centers/{center_id}/legal-holds/{hold_id}": "a hold never changes, it is lifted",
    "DELETE /centers/{center_id}/staff/{person_id}/pin": "nobody can read a PIN, nor know its state",
    "DELETE /my/calendar": "an address never changes, it ends",
    "DELETE /my/children/{child_id}/absences/{absence_id}": "what I announced never changes, it is withdrawn",
    "DELETE /my/children/{child_id}/pickups/{pickup_id}": "an announcement never changes, it is withdrawn",
    "DELETE /my/exports/{export_id}": "what is made or taken meanwhile is gone all the same",
    "PUT /centers/{center_id}/adults/{adult_id}/account": "another account is refused, not overwritten (409)",
    "PUT /centers/{center_id}/staff/{person_id}/pin": "nobody can read a PIN; a new one replaces whatever there was",
    "PUT /my/notifications": "nobody else chooses for me, and children that are not named stay as they are",
}
NOT_JSON: Final = {
    "GET /attendance/stays/{stay_id}/evidence.html": "a page to print",
    "GET /calendars/{token}.ics": "a calendar",
    "GET /centers/{center_id}/adults/{adult_id}/photo": "a picture, with a tag of its own",
    "GET /centers/{center_id}/children/{child_id}/photo": "a picture, with a tag of its own",
    "GET /centers/{center_id}/live": "a stream, resumed by Last-Event-ID",
    "GET /centers/{center_id}/reports/{name}": "a file that is sent as it is made",
    "GET /my/family-codes/{center_id}/qr": "a picture",
    "GET /my/children/{child_id}/photo": "a picture, with a tag of its own",
    "GET /my/children/{child_id}/pickups/{pickup_id}/photo": "a picture, with a tag of its own",
}
OPEN_SHAPES: Final = {
    "EvidenceEventOut.said": "an event as it was signed, whatever its version said",
    "IncidentOut.detail": "a few numbers and short texts that each kind of incident has of its own",
    "StayEvidenceOut.names": "names by the ids that occur in it",
    "SyncStateOut.digests": "a digest for each bucket there is",
}
# Names that say money; `late_minute_price` too. Minutes, percents and rates are numbers.
MONEY: Final = re.compile(r"(^|_)(price|amount|charge|charged|total|cost|fee|revenue)$")
NOT_MONEY: Final[dict[str, str]] = {}
MOMENT: Final = re.compile(r"_at$")
NOT_A_MOMENT: Final = {
    "CenterOut.opens_at": "a time of every day, on the clock of the centre",
    "CenterOut.closes_at": "the same",
    "CenterIn.opens_at": "the same",
    "CenterIn.closes_at": "the same",
    "CenterChangeIn.opens_at": "the same",
    "CenterChangeIn.closes_at": "the same",
}
DOCUMENT: Final = build_app(load_settings(env_file=None, environment="test", secret_key=SECRET), FakeClock()).openapi()
SCHEMAS: Final[Mapping[str, Schema]] = DOCUMENT["components"]["schemas"]


class Operation(NamedTuple):
    """One operation, as the document tells it."""

    name: str
    method: str
    path: str
    told: Mapping[str, Any]

    def has(self, *names: str) -> bool:
        return {one["name"].lower() for one in self.told["parameters"]} >= set(names)

    @property
    def is_secured(self) -> bool:
        return bool(self.told.get("security"))

    @property
    def answer(self) -> Schema:
        """The shape of a good answer in JSON; empty when it is none."""
        for status in ("200", "201", "202"):
            found = self.told["responses"].get(status, {}).get("content", {}).get(JSON, {})
            if found.get("schema"):
                return resolved(found["schema"])
        return {}

    @property
    def is_list(self) -> bool:
        return "items" in self.answer.get("properties", {})


def resolved(schema: Schema) -> Schema:
    return SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, told in methods.items():
            if path.startswith(API_PREFIX):
                inner = path.removeprefix(API_PREFIX)
                yield Operation(f"{method.upper()} {inner}", method.upper(), inner, told)


ALL: Final = tuple(operations())


def those(wanted: Callable[[Operation], bool]) -> set[str]:
    return {one.name for one in ALL if wanted(one)}


def fields() -> Iterator[tuple[str, str, Schema]]:
    for shape, schema in SCHEMAS.items():
        for name, field in schema.get("properties", {}).items():
            for one in (field, *field.get("anyOf", ()), field.get("items", {})):
                yield f"{shape}.{name}", name, one


def test_every_list_has_pages_of_a_hundred_at_most() -> None:
    lists = those(lambda one: one.method == "GET" and one.is_list)
    assert len(lists) > 25
    paged = those(lambda one: one.has("cursor", "limit") and "next_cursor" in one.answer.get("properties", {}))
    assert lists - paged == NO_PAGES.keys()
    for one in ALL:
        for parameter in one.told["parameters"]:
            if parameter["name"] == "limit":
                schema = parameter["schema"]
                bounds = LONG_ITEMS.get(one.name, (1, 100, 50))
                assert (schema["minimum"], schema["maximum"], schema["default"]) == bounds, one.name


def test_every_change_of_what_is_there_says_which_state_it_is_meant_for() -> None:
    changes = those(lambda one: one.method in ("PUT", "PATCH", "DELETE"))
    with_state = those(lambda one: one.has("if-match") and {"412", "428"} <= one.told["responses"].keys())
    assert changes - with_state == NO_STATE.keys()


def test_every_reading_has_a_tag_and_spares_whoever_has_it() -> None:
    reads = those(lambda one: one.method == "GET")
    tagged = those(
        lambda one: (
            one.has("if-none-match")
            and "304" in one.told["responses"]
            and "ETag" in one.told["responses"]["200"].get("headers", {})
        )
    )
    assert reads - tagged == NOT_JSON.keys()


def test_every_post_of_somebody_may_be_sent_again_under_a_key() -> None:
    posts, keyed = those(lambda one: one.method == "POST"), those(lambda one: one.has("idempotency-key"))
    assert posts - keyed == NO_KEY.keys() | NOT_REPEATABLE.keys()
    assert keyed <= posts


def test_every_operation_says_who_may_what_it_does_and_how_it_refuses() -> None:
    assert those(lambda one: not one.is_secured) == PUBLIC
    for one in ALL:
        assert one.told.get("summary"), one.name
        assert len(one.told.get("description", "")) > 20, one.name
        assert one.told.get("operationId"), one.name
        for parameter in one.told["parameters"]:
            assert parameter.get("description"), (one.name, parameter["name"])
        answers = one.told["responses"]
        assert {
            "400",
            "422",
            "429",
            "503",
            "4XX",
            "5XX",
            *(("401", "403", "404", "409") if one.is_secured else ()),
        } <= (answers.keys()), one.name
        for status, told in answers.items():
            if status[0] in "45":
                (media,) = DOCUMENT["components"]["responses"][told["$ref"].rsplit("/", 1)[-1]]["content"]
                assert media == PROBLEM, (one.name, status)
    ids = [one.told["operationId"] for one in ALL]
    assert len(set(ids)) == len(ids)
    for status in (409, 412, 428, 429):
        assert codes_of(status), status
    assert {"request_in_flight", "conflict"} <= set(codes_of(409))


def test_every_body_has_an_example_that_its_own_shape_allows() -> None:
    count = 0
    for one in ALL:
        for told in (one.told.get("requestBody", {}), *one.told["responses"].values()):
            for kind, media in told.get("content", {}).items():
                if kind != JSON or not media.get("schema"):
                    continue
                schema = {**media["schema"], "components": DOCUMENT["components"]}
                wrong = [
                    error.message
                    for error in jsonschema_rs.validator_for(
                        schema, validate_formats=True, formats={"time": bool}
                    ).iter_errors(media["example"])
                ]
                assert not wrong, (one.name, wrong)
                count += 1
    assert count > 150


def test_times_have_offsets_and_money_is_text() -> None:
    wrong = {where for where, name, one in fields() if MONEY.search(name) and one.get("type") in ("number", "integer")}
    assert wrong == NOT_MONEY.keys()
    moments = {
        where
        for where, name, one in fields()
        if MOMENT.search(name) and one.get("type") == "string" and one.get("format") != "date-time"
    }
    assert moments == NOT_A_MOMENT.keys()
    for media in (media for one in ALL for media in _answers(one)):
        for text in _texts(media.get("example")):
            assert not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+", text), text


def test_nothing_unknown_is_taken_and_nothing_unnamed_is_given() -> None:
    bodies = {
        resolved(media["schema"])["title"]
        for one in ALL
        for media in one.told.get("requestBody", {}).get("content", {}).values()
        if "$ref" in media.get("schema", {})
    }
    forms = {name for name in bodies if name.startswith("Body_")}
    assert {name for name in bodies - forms if SCHEMAS[name].get("additionalProperties") is not False} == set()
    given = {where for where, _, one in fields() if one.get("additionalProperties")}
    assert given == OPEN_SHAPES.keys()


@pytest.mark.parametrize(
    "reasons", [NO_KEY, BY_ADDRESS, NOT_REPEATABLE, NO_PAGES, NO_STATE, NOT_JSON, OPEN_SHAPES, NOT_MONEY, NOT_A_MOMENT]
)  # fmt: skip
def test_each_exception_has_a_reason(reasons: Mapping[str, str]) -> None:
    assert all(reason for reason in reasons.values())


def _answers(one: Operation) -> Iterator[Mapping[str, Any]]:
    for told in one.told["responses"].values():
        yield from told.get("content", {}).values()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
