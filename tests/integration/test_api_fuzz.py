"""The API against its own document: made-up requests by three roles, and each answer must be one that is told.

`ROLLCALL_FUZZ_EXAMPLES=50` makes more of them for each operation; the same number makes the same requests.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.api import Api
from tests.support.postgres import FreshDatabase
from tests.support.rights_world import RightsWorld, rights_world
from tests.support.told_logs import told_logs

EXAMPLES: Final = int(os.environ.get("ROLLCALL_FUZZ_EXAMPLES", "1"))
# A guardian, a member of staff, and a manager of the centre whose ids stand in the addresses.
ROLES: Final = ("mother", "staff", "manager")
# What never ends.
LEFT_OUT: Final = {"/api/v1/centers/{center_id}/live", "/api/v1/my/live"}
CHECKS: Final = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip


def cases_of(operation: Any, mode: GenerationMode) -> list[Any]:
    """Some requests for an operation, the same each time; none where the mode has none."""
    found: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def gather(case: Any) -> None:
        found.append(case)

    # Where nothing is sent, nothing can be sent wrong.
    with suppress(Unsatisfiable):
        gather()
    return found


def requests_of(document: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Every operation with requests for it, and whether their body is one that must be refused."""
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path in LEFT_OUT or not operation.path.startswith("/api/v1"):
            continue
        name = f"{operation.method.upper()} {operation.path}"
        for case in cases_of(operation, GenerationMode.POSITIVE):
            yield name, case, False
        for case in cases_of(operation, GenerationMode.NEGATIVE):
            # Ids in addresses are mended on the way, and unknown names in a query mean nothing, as everywhere in HTTP.
            body = case.meta.components.get(ParameterLocation.BODY)
            yield name, case, body is not None and body.mode.is_negative


async def answer_to(world: RightsWorld, case: Any, who: str) -> httpx.Response:
    """Send a request as somebody; what names things in its address names those there are."""
    ids = {**world.north.ids, "center_id": world.north.center, "name": "daily"}
    ids["barcode_id"] = ids["barcode_of_child"]
    case.path_parameters = {
        name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()
    }  # fmt: skip
    if "center_id" in (case.query or {}):
        case.query["center_id"] = world.north.center
    sent = case.as_transport_kwargs(base_url="http://test")
    headers = {**dict(sent.pop("headers", {})), **await world.headers(who)}
    known = {name: value for name, value in sent.items() if name in ("method", "url", "params", "json", "content")}
    if sent.get("data") is not None:
        known["data" if isinstance(sent["data"], dict) else "content"] = sent["data"]
    return await world.api.client.request(**known, headers=headers)


@asynccontextmanager
async def _plain_logs() -> AsyncIterator[None]:
    with told_logs():
        yield


@pytest.mark.postgres
@pytest.mark.timeout(600)
async def test_no_answer_is_other_than_the_document_says(api: Api, database: FreshDatabase) -> None:
    wrong: dict[str, str] = {}
    asked = 0
    # Without the log as it is in production, a failure of ours is drawn with all its variables, which takes minutes.
    async with rights_world(api, database) as world, _plain_logs():
        for name, case, is_wrong in requests_of(api.app.openapi()):
            for who in ROLES:
                answer = await answer_to(world, case, who)
                asked += 1
                try:
                    case.validate_response(answer, checks=[*CHECKS, negative_data_rejection] if is_wrong else CHECKS)
                except FailureGroup as error:
                    told = "; ".join(str(one) for one in error.exceptions)
                    wrong.setdefault(f"{name} {who} {answer.status_code}", told[:1_000])
    print(f"{asked} requests")
    assert wrong == {}, "\n\n".join(f"{name}\n{text}" for name, text in wrong.items())
