"""What a request is answered by: the server, the holder of its use case's champion, the champion."""

from fastapi import Request

from model_serving.champion import ChampionHolder
from model_serving.loaded import LoadedModel
from model_serving.problems import ProblemError
from model_serving.server import Server


def server_of(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


def arrived_at(request: Request) -> float:
    """When it arrived, by the performance counter."""
    return float(request.scope["state"]["arrived_at"])


def holder_of(server: Server, use_case: str) -> ChampionHolder:
    """Raises a 404 when this server does not serve it."""
    try:
        return server.holders[use_case]
    except KeyError:
        known = ", ".join(server.holders)
        raise ProblemError(404, f"no use case {use_case[:64]!r}; this server has: {known}") from None


def champion_of(server: Server, holder: ChampionHolder) -> LoadedModel:
    """Raises a 503 while there is none."""
    champion = holder.champion
    if champion is None:
        raise ProblemError(
            503,
            f"no model for {holder.use_case} yet; /readyz says why",
            headers={"retry-after": str(server.retry_after_s)},
        )
    return champion
