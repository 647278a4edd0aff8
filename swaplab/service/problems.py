"""What the service answers when it does not do something: a status, the cause, and the remedy (RFC 9457)."""

from typing import Any, Final

from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"


class RefusalError(Exception):
    """A refusal. `cause` says what is wrong, `remedy` what to do; `headers` go with the answer."""

    def __init__(self, status: int, cause: str, remedy: str, **headers: str) -> None:
        super().__init__(status, cause, remedy)
        self.status = status
        self.cause = cause
        self.remedy = remedy
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __str__(self) -> str:
        return f"{self.status}: {self.cause}; {self.remedy}"

    @property
    def response(self) -> JSONResponse:
        """The answer."""
        body: dict[str, Any] = {"status": self.status, "title": self.cause, "remedy": self.remedy}
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def no_such(kind: str, name: str, path: str) -> RefusalError:
    """404 for a store, a cache, a job."""
    return RefusalError(404, f"there is no {kind} {name!r}", f"make it with PUT {path}, or list them with GET")
