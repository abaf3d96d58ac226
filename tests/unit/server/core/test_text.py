"""Text from outside: what is kept, and what is refused without being repeated."""

import pytest

from server.core.errors import InvalidInput
from server.core.text import clean_text


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  Zoë ", "Zoë"), ("Zoe\u0308", "Zoë"), ("Nguyễn Thị", "Nguyễn Thị"), ("李小龍", "李小龍")],
)
def test_names_of_the_world_are_kept_in_one_form(given: str, kept: str) -> None:
    assert clean_text(given, what="The name", length_max=20) == kept


@pytest.mark.parametrize("given", ["", "   ", "x" * 21, "a\x00b", "a\nb", "a\x7fb", "\ud800", "\ue000", "\U000e0fff"])
def test_what_no_name_can_be_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(InvalidInput, match="The name") as refused:
        clean_text(given, what="The name", length_max=20)
    assert not given.strip() or given not in str(refused.value)
