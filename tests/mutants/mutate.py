"""A mutant takes the place of a function in the running process, and goes again.

The module's source is parsed, the operator changes the one definition, and the code that comes of it is given to the
function objects that are there: so everybody sees the mutant, however they imported the function, and the module is
neither imported a second time nor written.
"""

import ast
import gc
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
    functions = _functions(module, qualified)
    before = [function.__code__ for function in functions]
    for function in functions:
        function.__code__ = code
    try:
        yield
    finally:
        for function, original in zip(functions, before, strict=True):
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


def _functions(module: str, qualified: str) -> list[types.FunctionType]:
    """Every function object made from that definition: in a property, behind a decorator, in a copy of a class."""
    found = [
        thing
        for thing in gc.get_objects()
        if type(thing) is types.FunctionType
        and thing.__code__.co_qualname == qualified
        and thing.__globals__.get("__name__") == module
    ]
    if not found:
        raise DoesNotApplyError(f"no function {qualified} of {module} is alive")
    return found
