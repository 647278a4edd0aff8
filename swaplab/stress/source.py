"""Scenarios of a user's file: it is imported as Python and pytest would, with its directory on the path."""

import sys
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from .scenario import Scenario


def scenarios_of(file: Path) -> dict[str, Scenario]:
    """Import `file` and return its scenarios by name.

    Raises:
        ValueError: There is no such file, it can not be imported, or it has no scenario.
    """
    module = _imported(file)
    found = {name: value for name, value in vars(module).items() if isinstance(value, Scenario)}
    if not found:
        raise ValueError(f"{file} has no scenario: decorate an `async def` that takes a world with @stress.scenario()")
    return found


def _imported(file: Path) -> ModuleType:
    if not file.is_file():
        raise ValueError(f"{file} is {'no file' if file.exists() else 'not there'}: name a Python file with scenarios")
    whole = file.resolve()
    root, names = whole.parent, [whole.stem]
    while (root / "__init__.py").is_file():
        root, names = root.parent, [root.name, *names]
    if "." in whole.stem:
        raise ValueError(f"{file} can not be imported: take the dots out of its name")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    name = ".".join(names)
    try:
        module = import_module(name)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{file} can not be imported: {_told(error, whole)}") from error
    there = getattr(module, "__file__", None)
    if there is None or Path(there).resolve() != whole:
        raise ValueError(f"{file} can not be imported: {name} is a module of Python's or of others; rename the file")
    return module


def _told(error: BaseException, file: Path) -> str:
    """An exception on one line, with the line of `file` that it came from."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}" + (f" (line {error.lineno})" if error.lineno else "")
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(file)]
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return f"{text} (line {lines[-1]})" if lines else text
