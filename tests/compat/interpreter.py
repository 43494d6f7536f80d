"""A fresh interpreter, in which nothing has been imported or repaired yet."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_python(code: str) -> subprocess.CompletedProcess:
    """Runs code from the root of the repository; its output is text, its exit code not checked."""
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
