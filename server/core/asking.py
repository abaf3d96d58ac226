"""Who asks in the task that runs now, for what, and whose rows they may reach; nobody and nothing until it is said.

A request is one task from its door to its transactions, and this goes with it: the door says who asks, and
`repositories.unit_of_work` says it to PostgreSQL, and writes it beside each change. Use-cases neither pass it on nor
can forget it. Jobs, the links of devices and commands say `THE_SERVER` where they begin.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Reach:
    """Of which centres and organisations rows can be seen and written; of none by itself."""

    ids: frozenset[str] = frozenset()
    is_everywhere: bool = False

    @property
    def setting(self) -> str:
        """Give it as the setting `rollcall.reach`, which the policies of the tables compare with."""
        return "*" if self.is_everywhere else ",".join(sorted(self.ids))


NOWHERE: Final = Reach()
EVERYWHERE: Final = Reach(is_everywhere=True)


def within(ids: Iterable[str]) -> Reach:
    """Give the reach over these centres and organisations."""
    return Reach(frozenset(ids))


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for what.

    `actor` is the id of a person, `organisation_id` theirs; both are empty while nobody is known. `route` is method and
    pattern of the address, `changes` tells whether it is meant to change something, `center_id`, `entity` and
    `entity_id` are what its address names (each may be empty).
    """

    reach: Reach = NOWHERE
    actor: str = ""
    organisation_id: str = ""
    route: str = ""
    request_id: str = ""
    changes: bool = False
    center_id: str = ""
    entity: str = ""
    entity_id: str = ""


NOBODY: Final = Asking()
THE_SERVER: Final = Asking(EVERYWHERE)
OPERATOR: Final = "operator"
_now: ContextVar[Asking] = ContextVar("rollcall_asking", default=NOBODY)


def operator_asks(command: str) -> Asking:
    """Give who asks when an operator types a command: everywhere, and what it changes is told in the audit log."""
    return Asking(EVERYWHERE, actor=OPERATOR, route=f"rollcall-server {command}", changes=True)


def job_asks(job: str) -> Asking:
    """Give who is told in the audit log of what a job did for good."""
    return Asking(EVERYWHERE, actor=job, route=f"job {job}")


def asking_now() -> Asking:
    """Give who asks in this task."""
    return _now.get()


def let_ask(asking: Asking) -> None:
    """Say who asks from here to the end of the task, or of the `asks` around it."""
    _now.set(asking)


@contextmanager
def asks(asking: Asking) -> Iterator[None]:
    """Say who asks for as long as the block takes."""
    before = _now.get()
    _now.set(asking)
    try:
        yield
    finally:
        # Not by a token: set-up and end of what lasts may belong to different contexts.
        _now.set(before)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody changed or read: `verb` of what (`entity`, `entity_id`), and which `part` of it."""

    verb: str
    entity: str
    entity_id: str
    part: str = ""


CHANGED: Final = "changed"
READ: Final = "read"
SIGNED_IN: Final = "signed_in"
SIGNED_OUT: Final = "signed_out"
SIGN_IN_FAILED: Final = "sign_in_failed"
LOCKED_OUT: Final = "locked_out"
ACTS_MAX: Final = 100
"""Acts of one transaction that are told one by one."""


@dataclass(slots=True)
class Acts:
    """What a transaction did and read, by the chain in which it is told (a centre or an organisation)."""

    actor: str = ""
    by_chain: dict[str, dict[Act, None]] = field(default_factory=dict)

    def add(self, chain_id: str, act: Act) -> None:
        """Note an act, once; one that changed something says so, whatever tables it took."""
        acts = self.by_chain.setdefault(chain_id, {})
        if act.verb == CHANGED and any(one.verb == CHANGED and one.entity_id == act.entity_id for one in acts):
            return
        acts[act] = None

    def told(self, chain_id: str) -> list[Act]:
        """Give the acts of a chain; beyond `ACTS_MAX` only how many more there were."""
        acts = list(self.by_chain.get(chain_id, ()))
        if len(acts) <= ACTS_MAX:
            return acts
        return [*acts[:ACTS_MAX], Act(acts[-1].verb, "more", str(len(acts) - ACTS_MAX))]
