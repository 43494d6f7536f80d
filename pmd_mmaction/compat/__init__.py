"""Repairs of known faults in the installed OpenMMLab stack.

This package is the only place that knows about them: each module has ``REPAIRS``. A repair first
checks whether its fault is present and otherwise does nothing, so a fixed upstream release simply
retires it.
"""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from pmd_mmaction.compat import requirements
from pmd_mmaction.compat.repair import Repair


class Status(NamedTuple):
    """What is known about one fault in this environment."""

    name: str
    fault: str
    present: bool
    repaired: bool


_repaired: set[str] = set()


def _repairs() -> tuple[Repair, ...]:
    # Imported late: these modules need the stack, whose absence `requirements` reports better.
    from pmd_mmaction.compat import (
        checkpoint,
        cpu_launch,
        data_loader,
        default_hooks,
        download,
        drop_path,
        imports,
        loss_scale,
        multimodal,
        optimizer_state,
        package_bases,
        tf32,
    )

    first = imports, multimodal  # without them mmaction.models cannot be imported
    others = checkpoint, download, data_loader, cpu_launch, loss_scale, optimizer_state
    others += tf32, default_hooks, package_bases, drop_path
    return tuple(chain.from_iterable(module.REPAIRS for module in first + others))


def apply() -> None:
    """Checks the stack and repairs every fault that is present. Calling it again is harmless.

    Raises:
        ImportError: If a library of the stack is missing or of an unsupported version.
    """
    requirements.check()
    for item in _repairs():
        if item.name not in _repaired and item.present():
            item.repair()
            _repaired.add(item.name)


def status() -> list[Status]:
    """Returns every known fault, whether this environment has it, and whether it is repaired."""
    report = []
    for item in _repairs():
        repaired = item.name in _repaired
        report.append(Status(item.name, item.fault, repaired or item.present(), repaired))
    return report
