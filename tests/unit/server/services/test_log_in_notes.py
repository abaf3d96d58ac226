"""In whose audit log the log-ins of an account are told."""

from datetime import UTC, datetime
from typing import Final

from server.models.accounts import Membership, UserAccount
from server.services.log_in_notes import chain_of

ACCOUNT: Final = UserAccount(
    id="a", organisation_id="organisation", email="a@example.org", display_name="A", password_hash="x", is_active=True,
    created_at=datetime(2026, 9, 21, tzinfo=UTC),
)  # fmt: skip


def at(*centers: str | None) -> list[Membership]:
    return [
        Membership(id=str(number), user_id="a", center_id=center, role_id=1) for number, center in enumerate(centers)
    ]


def test_log_ins_are_told_where_all_roles_are() -> None:
    assert chain_of(ACCOUNT, at("north")) == "north"
    assert chain_of(ACCOUNT, at("north", "north")) == "north"
    # Nobody sees at one centre where else somebody has a role; whoever looks after the organisation sees it.
    assert chain_of(ACCOUNT, at("north", "south")) == "organisation"
    assert chain_of(ACCOUNT, at(None)) == "organisation"
    assert chain_of(ACCOUNT, at("north", None)) == "organisation"
    assert chain_of(ACCOUNT, at()) == "organisation"
