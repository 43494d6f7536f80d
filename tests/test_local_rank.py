"""The rank of a process on its node, as each launcher tells it."""

import os

import pytest

from pmd_mmaction.local_rank import LAUNCHERS, set_local_rank


@pytest.mark.parametrize(
    'told, expected',
    [
        ({}, 5),
        (dict(SLURM_LOCALID='2'), 2),
        (dict(OMPI_COMM_WORLD_LOCAL_RANK='3'), 3),
        (dict(OMPI_COMM_WORLD_LOCAL_RANK='3', SLURM_LOCALID='0'), 3),  # mpirun within one
        (dict(LOCAL_RANK='1', SLURM_LOCALID='0'), 1),  # torchrun within a job of Slurm
    ],
)
def test_the_launcher_tells_the_rank(monkeypatch, told, expected):
    for name in LAUNCHERS:
        monkeypatch.setenv(name, '')  # so that it is as before afterwards
        monkeypatch.delenv(name)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert set_local_rank(5) == expected
    assert os.environ['LOCAL_RANK'] == str(expected)
