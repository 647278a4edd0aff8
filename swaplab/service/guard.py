"""Who may: looked at before anything else of a request, and the headers that the server puts on every answer.

A page from anywhere can make a browser send requests to loopback, and rebind a name to it. So the name has to be one of
ours, and nothing but reading is taken from another origin. No CORS header is ever sent. Beyond loopback a token is
needed.
"""

import hmac
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from .problems import RefusalError

SECURITY_HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_READS: Final = ("GET", "HEAD")
OPEN_PATHS: Final = ("/healthz", "/", "/chain", "/script")
"""What needs no token, beside the studio's files."""
OPEN_PREFIXES: Final = ("/static/",)


class Guard:
    """The outermost of the service. `port` is where it listens; `allowed_hosts` are names besides those of loopback."""

    def __init__(self, app: ASGIApp, port: int, allowed_hosts: Iterable[str] = (), token: str | None = None) -> None:
        self._app = app
        names = [*LOOPBACK_NAMES, *(name.lower() for name in allowed_hosts)]
        self._hosts = {f"{name}:{port}".encode() for name in names}
        if port == 80:
            self._hosts |= {name.encode() for name in names}
        self._bearer = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a refusal, or let the application answer."""
        problem = self._refusal(scope) if scope["type"] == "http" else None
        await (self._app if problem is None else problem.response)(scope, receive, send)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        host = origin = site = bearer = encoding = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    return RefusalError(400, "the request has two Host headers", "send one")
                host = value.lower()
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"authorization":
                bearer = value
            elif name == b"content-encoding":
                encoding = value.lower()
        if host not in self._hosts:
            cause = "the request names no host" if not host else f"this server is not {_text(host)}"
            names = ", ".join(sorted(name.decode() for name in self._hosts))
            return RefusalError(421, cause, f"send Host as one of {names}; who starts it adds others by --allow-host")
        if scope["method"] not in _READS:
            if site is not None and site not in (b"same-origin", b"none"):
                return RefusalError(
                    403, "the request comes from a page of another site", "send it from this server's own"
                )
            if origin is not None and origin.lower() != b"http://" + host:
                return RefusalError(
                    403, "the request comes from another origin", "send it without Origin, or from here"
                )
            if encoding not in (None, b"identity"):
                return RefusalError(415, f"Content-Encoding {_text(encoding)} is not taken", "send the body as it is")
        if not self._may(scope["path"], bearer):
            remedy = "send Authorization: Bearer TOKEN"
            return RefusalError(401, "the token is missing or wrong", remedy, WWW_Authenticate="Bearer")
        return None

    def _may(self, path: str, bearer: bytes | None) -> bool:
        if self._bearer is None or path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
            return True
        return bearer is not None and hmac.compare_digest(bearer, self._bearer)


def _text(value: bytes) -> str:
    return repr(value.decode("latin-1"))
