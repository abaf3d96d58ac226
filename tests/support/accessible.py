"""axe-core, which looks at a page for what keeps people out."""

import json

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

# All rules of axe-core, and the one of WCAG 2.2 that it does not ask for by itself. What is too small to be seen as it
# is and may hide something, such as a wide table on a phone, is looked at by `_fits`.
RULES = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


async def look(page: Page) -> None:
    """Let axe-core look; it comes in by the browser's door for tools, and the policy of the page stays as it is."""
    found = (await Axe().run(page, options=RULES)).response["violations"]
    said = [(one["id"], one["impact"], [node["html"][:200] for node in one["nodes"]]) for one in found]
    assert said == [], json.dumps([page.url, said], indent=1)
