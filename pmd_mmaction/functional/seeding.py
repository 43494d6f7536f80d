"""Seeds as a function of what is being drawn."""

import numpy as np


def derive_seed(*numbers: int) -> int:
    """A well mixed 63-bit seed from whole numbers such as (seed, epoch, iteration, rank).

    Args:
        *numbers: whole numbers >= 0.

    Raises:
        ValueError: for a negative number (NumPy's message).
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
