"""The rank of a process on its node."""

import os

LAUNCHERS = ('LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'SLURM_LOCALID')


def set_local_rank(given: int) -> int:
    """Sets the environment's ``LOCAL_RANK``, which MMEngine reads, as the launcher tells it.

    Args:
        given: where none of them tells it.

    Returns:
        The rank on the node.
    """
    told = next((os.environ[name] for name in LAUNCHERS if name in os.environ), str(given))
    os.environ['LOCAL_RANK'] = told
    return int(told)
