"""The ASGI application: the guard outside, the hot routes, and FastAPI behind them; refusals become answers here."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from . import hot, pages
from .api import api
from .bodies import ENDLESS, WholeBody
from .guard import Guard
from .hot_router import GONE, HotRouter
from .log_lines import tell
from .problems import RefusalError
from .service import Service


def application(service: Service, base: str, allowed_hosts: Sequence[str] = (), token: str | None = None) -> ASGIApp:
    """All that the server serves. `base` is its URL."""
    behind = api(service, base)
    routes = hot.routes(service)
    app = Starlette(routes=[*routes, *pages.routes()])
    app.router.redirect_slashes = False
    app.router.default = WholeBody(behind, service.reception)
    for each in (app, behind):
        each.add_exception_handler(RefusalError, _refused)
        each.add_exception_handler(HTTPException, _http)
        each.add_exception_handler(RequestValidationError, _invalid)
        each.add_exception_handler(ClientDisconnect, _gone)
        each.add_exception_handler(Exception, _failed)
    return Guard(HotRouter(routes, app, _failed), int(base.rpartition(":")[2]), allowed_hosts, token)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return error.response


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods(request)))
        return RefusalError(
            405, f"{request.method} is not for this path", f"it takes {allowed}", Allow=allowed
        ).response
    if error.status_code == 404:
        return RefusalError(404, "there is nothing at this path", "see /docs for the paths").response
    return RefusalError(error.status_code, str(error.detail), "see /docs").response


def _methods(request: Request) -> set[str]:
    """The methods of all routes with this path: each route knows its own only."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in routes if isinstance(route, Route) for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods and request.url.path not in ENDLESS else methods


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    causes = [_in_words(one) for one in error.errors()[:3]]
    return RefusalError(422, "; ".join(causes), "/docs says what is taken").response


def _in_words(error: dict[str, Any]) -> str:
    """What is wrong with a value, and where."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    context = error.get("ctx", {})
    match error["type"]:
        case "json_invalid":
            return f"the body is no JSON: {context.get('error', 'it ends too early')}, at character {where or 0}"
        case "union_tag_not_found":
            return f"{where or 'the body'} has no kind"
        case "union_tag_invalid":
            return f"kind is one of {context['expected_tags']}, not {context['tag'][:40]!r}"
        case "string_pattern_mismatch":
            return f"{where} does not match {context['pattern']}"
        case "extra_forbidden":
            return f"there is no field {where}"
        case "missing":
            return f"{where or 'the body'} is missing"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}"


async def _gone(_: Request, __: Exception) -> Response:
    return GONE


async def _failed(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "unknown")
    tell("failed", logging.ERROR, error, method=request.method, route=route)
    return RefusalError(
        500, f"the service failed: {type(error).__name__}", "this is a fault of ours; its log says more"
    ).response
