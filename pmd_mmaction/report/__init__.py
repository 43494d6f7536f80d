"""A page about a pre-training run: one HTML file that needs nothing else."""

from pmd_mmaction.report.page import write_report
from pmd_mmaction.report.run import Run, RunError

__all__ = ['Run', 'RunError', 'write_report']
