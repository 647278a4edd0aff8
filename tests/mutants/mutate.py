"""A mutant takes the place of a function in the running process, and goes again.

The module's source is parsed, the operator changes the one definition, and the code that comes of it is given to the
function object that is there: so everybody sees the mutant, however they imported the function, and the module is
neither imported a second time nor written.
"""

import ast
import builtins
import dis
import importlib
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager

from tests.mutants.operators import Definition, DoesNotApplyError, Operator


@contextmanager
def mutated(module: str, qualified: str, operator: Operator) -> Iterator[None]:
    """Within it the function `qualified` of `module` is broken by `operator`. Raises `DoesNotApplyError`."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    operator.apply(_definition(tree, module, qualified))
    code = _code(compile(tree, f"<mutant of {module}>", "exec"), qualified)
    function = _function(module, qualified)
    if unknown := _globals(code) - set(function.__globals__) - set(vars(builtins)):
        raise DoesNotApplyError(f"{module} has no {', '.join(sorted(unknown))}: that alone would fail every test")
    original, function.__code__ = function.__code__, code
    try:
        yield
    finally:
        function.__code__ = original


def _definition(tree: ast.Module, module: str, qualified: str) -> Definition:
    """The one definition of that name; overloads are declarations and do not count."""
    blocks: list[list[ast.stmt]] = [tree.body]
    *classes, name = qualified.split(".")
    for wanted in classes:
        blocks = [
            node.body for body in blocks for node in body if isinstance(node, ast.ClassDef) and node.name == wanted
        ]
    found = [
        node
        for body in blocks
        for node in body
        if isinstance(node, Definition)
        and node.name == name
        and "overload" not in map(ast.unparse, node.decorator_list)
    ]
    if len(found) != 1:
        raise DoesNotApplyError(f"{module} defines {qualified} {len(found)} times")
    return found[0]


def _code(within: types.CodeType, qualified: str) -> types.CodeType:
    """The code of that function, somewhere within the code of its module. With overloads the last one is meant."""
    found = [code for code in _nested(within) if code.co_qualname == qualified]
    return found[-1]


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _globals(code: types.CodeType) -> set[str]:
    """The names that this code, and what is nested in it, looks up in its module."""
    return {
        instruction.argval
        for part in (code, *_nested(code))
        for instruction in dis.get_instructions(part)
        if instruction.opname == "LOAD_GLOBAL"
    }


def _function(module: str, qualified: str) -> types.FunctionType:
    """The function object made from that definition, also one in a property or behind decorators."""
    found: object = importlib.import_module(module)
    for name in qualified.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    function = inspect.unwrap(found) if callable(found) else found
    if not isinstance(function, types.FunctionType):
        raise DoesNotApplyError(f"{qualified} of {module} is no function, but {function!r}")
    return function
