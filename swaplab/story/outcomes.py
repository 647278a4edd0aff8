"""Whose results the codes of a script are, and what became of the requests that were submitted."""

from dataclasses import dataclass
from errno import ECANCELED, EINPROGRESS
from typing import Literal

from acomp import AcompReq, acomp_chain_members
from acomp.chain import runs_as_chain
from acomp.request import PENDING
from acomp.units.dispatch import units_of

from .answer import Explanation, Output
from .explain import Role, explain_code, explain_success
from .objects import Objects
from .watch import checksum


@dataclass(slots=True)
class _Submitted:
    """A request that was handed to an algorithm: as what, and what it has left when it was idle again.

    `code` is what its caller got, None as long as nobody has asked. `seen` is set when the rest is valid; before that
    `former` is what became of it the time before, if there was one.
    """

    req: AcompReq
    role: Role
    submissions: int
    members: tuple[AcompReq, ...] = ()
    former: "_Submitted | None" = None
    code: int | None = None
    seen: tuple[int, int] | None = None
    own: Role = "single"
    dlen: int = 0
    path: Literal["hardware", "software"] = "software"
    crc32: int | None = None

    @property
    def stands_alone(self) -> bool:
        return self.role in ("single", "units")

    @property
    def is_submitted(self) -> bool:
        return self.req.submissions > self.submissions


class Outcomes:
    """What became of requests."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._submitted: dict[str, _Submitted] = {}
        self._coded: dict[str, _Submitted] = {}  # by the name that the code is bound to

    def begun(self, req: object, is_parallel: bool) -> None:
        """`req`, and the members of its chain, are about to be handed to their algorithm.

        `is_parallel`: so would a driver run a chain now.
        """
        if not isinstance(req, AcompReq):
            return
        if not runs_as_chain(req):
            self._note(req, "units" if isinstance(req.dst, tuple) and units_of(req) > 1 else "single")
            return
        members = acomp_chain_members(req)
        self._note(req, "head" if is_parallel else "last", members)
        for member in members:
            self._note(member, "member")

    def _note(self, req: AcompReq, role: Role, members: tuple[AcompReq, ...] = ()) -> None:
        name = self._objects.name_of(req)
        if name is not None:
            former = self._submitted.get(name)
            former = former if former is None or former.seen else former.former
            self._submitted[name] = _Submitted(req, role, req.submissions, members, former)

    def coded(self, req: object, name: str | None, code: object) -> Explanation | None:
        """An entry point has returned `code` for `req`, bound to `name`: what that means."""
        found = self._submitted.get(self._objects.name_of(req) or "")
        if name is not None and found is not None:
            self._coded[name] = found
        return self._explained(found, code)

    def waited(self, name: str | None, code: object) -> Explanation | None:
        """A wait for the code bound to `name` has ended in `code`: what that means."""
        return self._explained(self._coded.get(name or ""), code)

    def filled(self, reqs: object, errors: object) -> None:
        """A call with arrays has ended: each of `reqs` has its code in `errors`."""
        if isinstance(reqs, list) and isinstance(errors, list):
            for req, code in zip(reqs, errors, strict=False):
                self._got(self._submitted.get(self._objects.name_of(req) or ""), code)

    def _explained(self, found: _Submitted | None, code: object) -> Explanation | None:
        """Note whose code it is, and say what it means."""
        self._got(found, code)
        role = "single" if found is None else self._role(found, code)
        if found is not None and not found.stands_alone and code == 0:
            return explain_success(role, self._failed(found))
        return explain_code(code, role)

    def _got(self, found: _Submitted | None, code: object) -> None:
        if found is not None and isinstance(code, int) and code not in PENDING:
            found.code = code

    def _failed(self, head: _Submitted) -> dict[str, int]:
        """The requests of a chain that has run and which have failed: names and codes."""
        errs = {self._objects.name_of(req) or "-": req.base.err for req in (head.req, *head.members)}
        return {name: err for name, err in errs.items() if err and err not in PENDING}

    def _role(self, head: _Submitted, code: object) -> Role:
        """Whose result a code is that a chain, or a request alone, has returned."""
        if head.stands_alone or not code or code == -ECANCELED:
            return head.role
        if not head.is_submitted:
            return "unsubmitted"
        members = [self._submitted.get(self._objects.name_of(req) or "") for req in head.members]
        is_refused = head.role == "head" and any(one is not None and not one.is_submitted for one in members)
        return "refused" if is_refused else head.role

    def _own(self, found: _Submitted) -> Role:
        """Whose a request's own err is."""
        if not found.stands_alone and not found.is_submitted:
            return "member" if found.req.base.err == -EINPROGRESS else "unsubmitted"
        return "member" if found.role == "last" else self._role(found, found.req.base.err)

    def role_of(self, req: object) -> Role:
        """Whose result the err of a request is, asked from outside."""
        found = self._submitted.get(self._objects.name_of(req) or "")
        return "single" if found is None else self._own(found)

    def look(self) -> None:
        """Note what requests have left that have become idle."""
        for found in self._submitted.values():
            req = found.req
            seen = (req.submissions, req.base.err)
            is_over = found.is_submitted if found.stands_alone else req.base.err != -EINPROGRESS
            if is_over and not req.held and seen != found.seen:
                found.seen, found.own = seen, self._own(found)
                found.dlen, found.path, found.crc32 = req.dlen, req.path, checksum(req)

    def outputs(self) -> dict[str, Output]:
        """What became of each, by its name."""
        known = {name: found if found.seen else found.former for name, found in self._submitted.items()}
        return {name: _output(found, found.seen[1]) for name, found in known.items() if found and found.seen}


def _output(found: _Submitted, own_err: int) -> Output:
    err = found.code if found.stands_alone else own_err
    return Output(
        err=err,
        dlen=found.dlen,
        path=found.path,
        crc32=None if err else found.crc32,
        explain=explain_code(err, found.own),
    )
