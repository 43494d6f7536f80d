"""What the main process finds out for all."""

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

Answer = TypeVar('Answer')


def from_main_process(ask: Callable[[], Answer]) -> Answer:
    """What the main process answers, on every rank. Collective.

    An error in ``ask`` would leave the other ranks waiting: it returns what goes wrong.
    """
    box = [ask() if is_main_process() else None]
    broadcast_object_list(box)
    return box[0]
