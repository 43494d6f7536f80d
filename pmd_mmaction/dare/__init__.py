"""The difficulty table of DARE: smoothed losses per video, teacher and patch, and their file."""

from pmd_mmaction.dare import table_file
from pmd_mmaction.dare.fingerprint import dataset_fingerprint
from pmd_mmaction.dare.layout import DTYPES, TableLayout
from pmd_mmaction.dare.precision import check_precision
from pmd_mmaction.dare.rows import check_finite, infinite_rows, pack_rows
from pmd_mmaction.dare.table import DifficultyTable

__all__ = [
    'DTYPES',
    'DifficultyTable',
    'TableLayout',
    'check_finite',
    'check_precision',
    'dataset_fingerprint',
    'infinite_rows',
    'pack_rows',
    'table_file',
]
