"""The pages that explain the API: /docs and /redoc, with their scripts from this server and from nowhere else."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS_PACKAGE: Final = "fastapi_offline"
ASSETS_PATH: Final = "/docs-assets"
OPENAPI_PATH: Final = "/openapi.json"


def install(app: FastAPI) -> None:
    """Add both pages and what they are made of."""
    app.mount(ASSETS_PATH, StaticFiles(directory=_assets_directory()), name="docs-assets")
    title = f"{app.title} API"
    favicon = f"{ASSETS_PATH}/favicon.png"

    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=OPENAPI_PATH,
            title=title,
            swagger_js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=favicon,
        )

    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url=OPENAPI_PATH,
            title=title,
            redoc_js_url=f"{ASSETS_PATH}/redoc.standalone.js",
            redoc_favicon_url=favicon,
            with_google_fonts=False,
        )

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/redoc", redoc, include_in_schema=False)


def _assets_directory() -> Path:
    """Where the package of scripts keeps them; it is found, not imported, since we want its files alone."""
    spec = find_spec(ASSETS_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"The package {ASSETS_PACKAGE} is missing; install what requirements.lock names.")
    return Path(spec.origin).parent / "static"
