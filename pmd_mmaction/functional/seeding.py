"""Random seeds derived from counters."""

import numpy as np


def derive_seed(*numbers: int) -> int:
    """A well-mixed 63-bit seed from integers such as (seed, epoch, iteration, rank).

    The first 64 bits of NumPy's seed sequence, shifted right by one.

    Source: https://numpy.org/doc/stable/reference/random/bit_generators/generated/numpy.random.SeedSequence.html

    Args:
        *numbers: integers >= 0.

    Returns:
        An integer in [0, 2**63), which ``torch.Generator.manual_seed`` accepts.

    Raises:
        ValueError: for a negative number (NumPy's message).

    Example:
        >>> derive_seed(0, 1, 2, 3)
        6463705122041852897
        >>> derive_seed(0, 1, 2, 4)  # the next rank
        165342227900151146
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
