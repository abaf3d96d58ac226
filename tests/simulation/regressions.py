"""Plans that failed once, cut down to what it took; every run of the simulator replays them first."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.simulation.mutants import planted
from tests.simulation.plan import Plan
from tests.simulation.run import Result, run_plan
from tests.simulation.shrink import shrink
from tests.simulation.weeks import draw

FOLDER = Path(__file__).parent / "regressions"


class Regression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What once failed, and by which checker; `mutant` names the planted defect that makes it fail again.

    One without a mutant was a real defect, told in `what`.
    """

    checker: str
    what: str
    mutant: str = ""
    plan: Plan

    @property
    def name(self) -> str:
        """The name of its file: the checker, and what tells its plan from others."""
        digest = hashlib.sha256(msgspec.json.encode(self.plan)).hexdigest()
        return f"{self.mutant or self.checker}-{digest[:8]}"


class Shrunk(msgspec.Struct, frozen=True):
    """A plan before and after."""

    before: Plan
    after: Regression
    runs: int


def load_all() -> list[Regression]:
    """Every regression that is kept, in the order of its file's name."""
    return [load(path) for path in sorted(FOLDER.glob("*.json"))]


def load(path: Path) -> Regression:
    """Read one file; a name that is not that of its content is a file that was changed by hand."""
    found = msgspec.json.decode(path.read_bytes(), type=Regression)
    if path.stem != found.name:
        raise ValueError(f"{path.name} should be called {found.name}.json")
    return found


def keep(regression: Regression, folder: Path = FOLDER) -> Path:
    """Write one down; gives its path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{regression.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(regression), indent=1) + b"\n")
    return path


def replay(regression: Regression) -> Result:
    """Run it on the code as it is, which must hold."""
    return run_plan(regression.plan)


def is_still_sharp(regression: Regression) -> bool:
    """Whether its planted defect still makes it fail; true of one that has none."""
    return not regression.mutant or _violation(regression.plan, regression.mutant) == regression.checker


def shrink_seed(seed: int, mutant: str = "", show: Callable[[str], object] = print) -> Shrunk | None:
    """Make the plan of a failing seed small; None when the seed holds."""
    return shrink_plan(draw(seed), mutant, show)


def shrink_plan(plan: Plan, mutant: str = "", show: Callable[[str], object] = print) -> Shrunk | None:
    """Make a failing plan small; None when it holds."""
    checker = _violation(plan, mutant)
    if checker is None:
        return None
    show(f"seed {plan.seed} violates {checker}; looking for what it takes")
    small, runs = shrink(plan, lambda tried: _violation(tried, mutant) == checker)
    return Shrunk(plan, Regression(checker=checker, what="", mutant=mutant, plan=small), runs)


def _violation(plan: Plan, mutant: str) -> str | None:
    if not mutant:
        violation = run_plan(plan).violation
    else:
        with planted(mutant):
            violation = run_plan(plan).violation
    return violation[0] if violation else None
