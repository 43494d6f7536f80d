"""Writes smoothed losses into a table as a step of one process does."""

from pmd_mmaction.dare import check_finite, infinite_rows, pack_rows


def write(table, videos, masked, smoothed):
    """The losses (B, teachers, M) of masked patches (B, M) of some videos."""
    rows = pack_rows(masked, smoothed, table.layout)
    check_finite(videos, infinite_rows(rows))
    table.write_rows(videos, rows)
