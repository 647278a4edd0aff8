"""What a mutant does to one function: five operators on its syntax tree, each told by a name and an ordinal.

Pure: an operator takes the definition of a function and changes that very tree. It knows neither modules nor tests.
Nothing here quotes source: a row says "the second statement that sets `err`", so a line may be reformatted, and its
neighbours rewritten, while the row still means the same. Ordinals begin at 1 and count in source order; a name that the
function does not have so often is a `DoesNotApplyError`, for then somebody has to look at the row again.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


class DoesNotApplyError(Exception):
    """The function has nothing of the name and ordinal that a row gives."""


class Operator(Protocol):
    """One way to break a function."""

    def apply(self, function: Definition) -> None:
        """Change the tree of `function` in place. Raises `DoesNotApplyError`."""


@dataclass(frozen=True)
class Drop:
    """Leave out the nth statement about `name` (see `names_of`)."""

    name: str
    nth: int = 1

    def apply(self, function: Definition) -> None:
        """Put a `pass` in its place."""
        block, at = _statement(function, self.name, self.nth)
        block[at] = ast.copy_location(ast.Pass(), block[at])


@dataclass(frozen=True)
class Add:
    """Do `statement` too, just before the nth statement about `before`."""

    statement: str
    before: str
    nth: int = 1

    def apply(self, function: Definition) -> None:
        """Insert it."""
        block, at = _statement(function, self.before, self.nth)
        block[at:at] = [_placed(new, block[at]) for new in ast.parse(self.statement).body]


@dataclass(frozen=True)
class Negate:
    """Turn the nth condition that mentions `name` into its opposite.

    A condition is a test without `and` and `or`, or one operand of those.
    """

    name: str
    nth: int = 1

    def apply(self, function: Definition) -> None:
        """Put a `not` before it."""

        def is_meant(node: ast.AST) -> bool:
            return node in conditions and any(_last_name(part) == self.name for part in ast.walk(node))

        conditions = list(_conditions(function))
        _replace(
            function,
            is_meant,
            lambda node: ast.UnaryOp(ast.Not(), node),
            self.nth,
            f"condition that mentions {self.name}",
        )


@dataclass(frozen=True)
class Replace:
    """Put the expression `by` where the constant `name` stands for the nth time: a literal, a name, a dotted name."""

    name: str
    by: str
    nth: int = 1

    def apply(self, function: Definition) -> None:
        """Replace it, in what is assigned as well as in what is read."""

        def is_meant(node: ast.AST) -> bool:
            return isinstance(node, ast.Constant | ast.Name | ast.Attribute) and ast.unparse(node) == self.name

        _replace(function, is_meant, lambda _: _expression(self.by), self.nth, f"constant {self.name}")


@dataclass(frozen=True)
class Swap:
    """Call `by` (an expression) instead of the function or method `name`, the nth time that it is called."""

    name: str
    by: str
    nth: int = 1

    def apply(self, function: Definition) -> None:
        """Leave the arguments as they are."""

        def is_meant(node: ast.AST) -> bool:
            return isinstance(node, ast.Call) and _last_name(node.func) == self.name

        def swapped(node: ast.expr) -> ast.expr:
            assert isinstance(node, ast.Call)
            return ast.Call(_expression(self.by), node.args, node.keywords)

        _replace(function, is_meant, swapped, self.nth, f"call of {self.name}")


def names_of(statement: ast.stmt) -> set[str]:
    """What a statement is about: the function it calls, the names it sets, or its keyword.

    Of a dotted name the last part counts: `head.base.err = code` is about `err`.
    """
    match statement:
        case ast.Expr(ast.Call(func=called) | ast.Await(ast.Call(func=called))):
            names = {_last_name(called)}
        case ast.Assign(targets):
            names = {_last_name(part) for target in targets for part in _elements(target)}
        case ast.AugAssign(target) | ast.AnnAssign(target):
            names = {_last_name(target)}
        case _:
            names = {type(statement).__name__.lower().removeprefix("async")}
    return {name for name in names if name}


def _elements(target: ast.expr) -> Iterator[ast.expr]:
    yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def _last_name(node: ast.AST) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def _statements(node: ast.AST) -> Iterator[tuple[list[ast.stmt], int]]:
    """Every statement below `node` as its block and its place there, in source order."""
    for _, value in ast.iter_fields(node):
        for at, child in enumerate(value if isinstance(value, list) else ()):
            if isinstance(child, ast.stmt):
                yield value, at
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                yield from _statements(child)


def _statement(function: Definition, name: str, nth: int) -> tuple[list[ast.stmt], int]:
    found = [(block, at) for block, at in _statements(function) if name in names_of(block[at])]
    if not 1 <= nth <= len(found):
        raise DoesNotApplyError(f"{function.name} has {len(found)} statements about {name}, not {nth}")
    return found[nth - 1]


def _conditions(function: Definition) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        match node:
            case ast.If(test) | ast.While(test) | ast.IfExp(test) | ast.Assert(test):
                tests = [test]
            case ast.comprehension(ifs=tests) | ast.BoolOp(values=tests):
                pass
            case _:
                continue
        yield from (test for test in tests if not isinstance(test, ast.BoolOp))


def _replace(
    function: Definition,
    is_meant: Callable[[ast.AST], bool],
    become: Callable[[ast.expr], ast.expr],
    nth: int,
    what: str,
) -> None:
    """Replace the nth expression, in source order, that `is_meant`."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.expr) and is_meant(node)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    if not 1 <= nth <= len(found):
        raise DoesNotApplyError(f"{function.name} has the {what} {len(found)} times, not {nth}")
    old = found[nth - 1]
    for parent in ast.walk(function):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, _placed(_in_context(become(old), old), old))
            elif isinstance(value, list) and old in value:
                value[value.index(old)] = _placed(_in_context(become(old), old), old)


def _in_context(new: ast.expr, old: ast.expr) -> ast.expr:
    """`new`, assigned to or deleted where `old` was."""
    if hasattr(new, "ctx"):
        new.ctx = getattr(old, "ctx", ast.Load())
    return new


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def _placed(new: Node, old: ast.AST) -> Node:
    """`new`, and what it is made of, in the line of `old`: a traceback shows where the mutant is."""
    for part in ast.walk(new):
        ast.copy_location(part, old)
    return new
