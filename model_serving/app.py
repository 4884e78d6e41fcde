"""The ASGI application."""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from model_serving import api_page, metrics, openapi, problems, routes
from model_serving.limits import BODY_TIMEOUT_S, BodyLimit
from model_serving.observe import Observe
from model_serving.schemas import DegradedReason
from model_serving.server import Server
from model_serving.use_case_routes import use_case_routes
from model_serving.use_case_schemas import schemas_of
from tidemill.config import Settings, load_settings
from tidemill.web.logs import log_to_stderr

DESCRIPTION = f"""Answers with the champion model of a use case, from the newest features of the entities asked about.

Every answer carries `X-Request-ID`: yours when it matches `[A-Za-z0-9._-]{{1,128}}`, else a new one. A request sent
again on the same day under the same id is logged once.

`degraded` in an answer lists what it had to do without. {inspect.cleandoc(DegradedReason.__doc__ or "")}
"""


def create_app(settings: Settings) -> FastAPI:
    """The server of ``settings``; nothing is connected before its start-up.

    Raises:
        ConfigError: no use case is served.
    """
    server = Server(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        server.start()
        yield
        server.stop()
        metrics.forget_worker(metrics.shared_folder(settings))

    app = FastAPI(
        title="Tidemill model server",
        version=version("tidemill"),
        summary="Predictions over REST",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    problems.install(app)
    schemas = [schemas_of(asked, settings.serving.max_instances) for asked in server.asked.values()]
    for router in (
        use_case_routes(server, schemas),
        routes.models(server.asked[settings.serving.first]),
        routes.service,
    ):
        app.include_router(router)
    api_page.install(app)
    openapi.describe(app, schemas)
    app.add_middleware(BodyLimit, max_bytes=settings.serving.max_body_bytes, timeout_s=BODY_TIMEOUT_S)
    app.add_middleware(Observe)
    return app


def create() -> FastAPI:
    """The application of this process: what every uvicorn worker calls."""
    log_to_stderr()
    return create_app(load_settings())
