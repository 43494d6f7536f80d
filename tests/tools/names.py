"""File names that have to be safe everywhere."""

import os
import runpy
from pathlib import Path

ODD_NAMES = ['a b', "it's", 'a"b', 'a\nb', '$(touch ran)', '[red]', '-rf', '*']
ODD_NAMES.append(os.fsdecode(b'\xe9'))  # no UTF-8

ENVIRONMENT = Path(__file__).parents[2] / 'tools' / 'environment.py'


def prepare_streams() -> None:
    """Sets up the streams of a test as a tool does those of its process."""
    runpy.run_path(str(ENVIRONMENT))
