"""Strict renaming: every key is renamed, dropped for a stated reason, or an error."""

import re
from typing import Mapping, NamedTuple, Sequence

from torch import Tensor


class Conversion(NamedTuple):
    """A converted state dict and the report.

    Attributes:
        state_dict: the result.
        renamed: source key to result key.
        dropped: source key to the reason why it is not in the result.
    """

    state_dict: dict[str, Tensor]
    renamed: dict[str, str]
    dropped: dict[str, str]


def rename(
    state_dict: Mapping[str, Tensor],
    rules: Sequence[tuple[str, str]],
    drops: Sequence[tuple[str, str]],
    source: str,
) -> Conversion:
    """Applies the first matching rule to every key.

    Args:
        state_dict: the source.
        rules: pairs (regular expression for the whole key, replacement).
        drops: pairs (regular expression for the whole key, reason).
        source: name of the source format, for the message.

    Returns:
        The conversion.

    Raises:
        ValueError: naming the keys that no rule knows.
    """
    result, renamed, dropped, unknown = {}, {}, {}, []
    for key, value in state_dict.items():
        target = next(
            (
                re.sub(pattern, replacement, key)
                for pattern, replacement in rules
                if re.fullmatch(pattern, key)
            ),
            None,
        )
        reason = next((text for pattern, text in drops if re.fullmatch(pattern, key)), None)
        if target is not None:
            result[target], renamed[key] = value, target
        elif reason is not None:
            dropped[key] = reason
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(
            f'not a {source} checkpoint: it has {len(unknown)} unknown key(s), such '
            f'as {unknown[:5]}'
        )
    if not result:
        raise ValueError(f'not a {source} checkpoint: it has none of the expected keys')
    return Conversion(result, renamed, dropped)
