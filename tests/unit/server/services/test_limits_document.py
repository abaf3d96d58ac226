"""docs/api.md tells the limits there are, and problems that there are."""

import re
from pathlib import Path

from server import routes
from server.core.errors import RollcallError
from server.services import throttles
from server.services.throttles import Limit

DOCUMENT = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")
AT_THE_DOOR = {"bad_request", "json_invalid"}


def codes_of(kind: type[RollcallError]) -> set[str]:
    return {kind.code}.union(*(codes_of(child) for child in kind.__subclasses__()))


def test_every_limit_is_told_as_it_is() -> None:
    told = re.findall(r"\| `(\w+)` \| [^|]+ \| (\d+) \| (\d+) s \|", DOCUMENT)
    real = [one for one in vars(throttles).values() if isinstance(one, Limit)]
    assert sorted(told) == sorted((one.name, str(one.burst), str(one.step_s)) for one in real)


def test_every_code_of_the_table_of_errors_is_one() -> None:
    table = DOCUMENT.partition("## Errors")[2].partition("## ")[0]
    told = set(re.findall(r"`([a-z_]+)`", table)) - {"code", "detail", "errors"}
    assert routes.build_app is not None  # with it every module that has errors is imported
    assert told - AT_THE_DOOR <= codes_of(RollcallError)
    assert len(told) > 15
