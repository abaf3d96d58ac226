"""Templates become pages: every value is escaped, a name that is not given is an error, nothing is loaded or run."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page of HTML, and the Content-Security-Policy with which it is to be sent."""

    text: str
    policy: str


class Pages:
    """Makes pages of one template and one style sheet, which becomes a part of each page."""

    def __init__(self, template: str, style: str, filters: Mapping[str, Callable[..., str]]) -> None:
        """Read both files; `filters` are functions that the template may call on values."""
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(filters)
        self._template = environment.get_template(template)
        self._style = (_TEMPLATES / style).read_text(encoding="utf-8").strip()
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def page(self, **values: Any) -> Page:
        """Fill the template; it finds the style sheet as `style`."""
        return Page(self._template.render(style=self._style, **values), self._policy)
