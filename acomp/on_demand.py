"""Names of a package that are loaded when somebody asks for them: `__getattr__` and `__dir__` of a module (PEP 562).

For what most programs never need, or need after they have begun. Types see ordinary imports: the package has these
under `TYPE_CHECKING` and the call of `attributes` in the `else`.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attributes(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`, for names by the submodule they live in, as in {"perform": ".silicon"}.

    A name that is its own home is that submodule. What was asked for once is an ordinary attribute from then on.
    """

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        module = import_module(home, package)
        found = module if home == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
