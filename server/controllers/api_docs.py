"""The pages that explain the API: /docs and /redoc, with their scripts from this server where they are installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS_PACKAGE: Final = "fastapi_offline"
ASSETS_PATH: Final = "/docs-assets"
OPENAPI_PATH: Final = "/openapi.json"


def install(app: FastAPI) -> None:
    """Add both pages. Without the package of scripts, the reader's browser gets them from a public CDN."""
    directory = assets_directory()
    local: dict[str, Any] = {}
    redoc: dict[str, Any] = {}
    if directory is not None:
        app.mount(ASSETS_PATH, StaticFiles(directory=directory), name="docs-assets")
        local = {
            "swagger_js_url": f"{ASSETS_PATH}/swagger-ui-bundle.js",
            "swagger_css_url": f"{ASSETS_PATH}/swagger-ui.css",
            "swagger_favicon_url": f"{ASSETS_PATH}/favicon.png",
        }
        redoc = {
            "redoc_js_url": f"{ASSETS_PATH}/redoc.standalone.js",
            "redoc_favicon_url": f"{ASSETS_PATH}/favicon.png",
        }

    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url=OPENAPI_PATH, title=f"{app.title} API", **local)

    async def redoc_page() -> HTMLResponse:
        title = f"{app.title} API"
        return get_redoc_html(openapi_url=OPENAPI_PATH, title=title, with_google_fonts=False, **redoc)

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/redoc", redoc_page, include_in_schema=False)


def assets_directory() -> Path | None:
    """Give the directory of the scripts, or None when their package is not installed."""
    spec = find_spec(ASSETS_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent / "static"
    return directory if (directory / "redoc.standalone.js").is_file() else None
