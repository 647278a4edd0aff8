"""A row of the table: a rule of the product, the mutant that breaks it, and the tests that must notice."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.mutants.operators import Operator


@dataclass(frozen=True)
class Row:
    """One rule, where it is kept, how it is broken, and who must notice.

    `function` is the qualified name in `module`, as in `Run.finish`; for a function within another, the outer one's.
    A test is named by its node id below `tests/`, without loop or parameters: it notices when one of its cases fails.
    `test_it[part]` stands for the cases whose parameters contain `part`.
    """

    rule: str
    module: str
    function: str
    operator: Operator
    tests: Sequence[str]

    def files(self) -> set[str]:
        """The files that its tests are in."""
        return {test.partition("::")[0] for test in self.tests}
