"""Templates become pages: every value is escaped, a name that is not given is an error, nothing foreign is loaded."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES: Final = Path(__file__).parent / "templates"
OWN_FILES: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The policy of pages whose scripts and style are files of this server: nothing inline, nothing from elsewhere."""

Filters = Mapping[str, Callable[..., str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page of HTML, and the Content-Security-Policy with which it is to be sent."""

    text: str
    policy: str


class Pages:
    """Makes pages of one template and one style sheet, which becomes a part of each page."""

    def __init__(self, template: str, style: str, filters: Filters) -> None:
        """Read both files; `filters` are functions that the template may call on values."""
        self._template = _environment(filters).get_template(template)
        self._style = (_TEMPLATES / style).read_text(encoding="utf-8").strip()
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def page(self, **values: Any) -> Page:
        """Fill the template; it finds the style sheet as `style`."""
        return Page(self._template.render(style=self._style, **values), self._policy)


class FramedPages:
    """Makes pages of the templates of one folder, which share a frame and load only files of this server."""

    def __init__(self, folder: str, filters: Filters) -> None:
        """Read a template when it is first asked for; `filters` as in `Pages`."""
        self._environment = _environment(filters)
        self._folder = folder

    def page(self, template: str, **values: Any) -> Page:
        """Fill the template of this name."""
        return Page(self._environment.get_template(f"{self._folder}/{template}.html").render(**values), OWN_FILES)


def _environment(filters: Filters) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(filters)
    return environment
