"""The page that shows the API (Swagger UI), from files of this machine: it works without internet."""

from importlib.resources import as_file, files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from model_serving.head import ReadRouter

PAGE = "/docs"
ASSETS = "/docs/assets"


def install(app: FastAPI) -> None:
    """Serve the page at ``/docs`` and its script and style below it."""
    router = ReadRouter(include_in_schema=False)

    @router.get(PAGE)
    def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=app.openapi_url or "/openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/fastapi/favicon.png",
        )

    app.include_router(router)
    app.mount(ASSETS, StaticFiles(directory=_folder()), name="api-page-assets")


def _folder() -> Path:
    with as_file(files("fastapi_standalone_docs") / "static") as folder:
        return folder
