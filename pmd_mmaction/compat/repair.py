"""One known fault of the stack."""

from typing import Callable, NamedTuple


class Repair(NamedTuple):
    """A fault, the check for it, and its repair."""

    name: str
    fault: str
    present: Callable[[], bool]
    repair: Callable[[], None]
