"""Strict renaming: every key is renamed, dropped for a stated reason, or an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Mapping, Sequence

from torch import Tensor

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Conversion:
    """A converted state dict and the report.

    Attributes:
        state_dict: the result.
        renamed: source key to the result key that its values went into.
        dropped: source key to the reason why it is not in the result.
        notes: what else changed, one sentence each.
    """

    state_dict: dict[str, Tensor]
    renamed: dict[str, str]
    dropped: dict[str, str]
    notes: tuple[str, ...] = ()

    def then(self, second: Conversion) -> Conversion:
        """The report of two steps as one, in terms of the first one's source.

        Args:
            second: a conversion of this one's ``state_dict``.
        """
        renamed, dropped = {}, dict(self.dropped)
        for key, between in self.renamed.items():
            if between in second.renamed:
                renamed[key] = second.renamed[between]
            else:
                dropped[key] = second.dropped[between]
        return Conversion(second.state_dict, renamed, dropped, self.notes + second.notes)

    def with_state(self, state_dict: dict[str, Tensor], *notes: str) -> Conversion:
        """The same report with other weights and further notes."""
        return replace(self, state_dict=state_dict, notes=(*self.notes, *notes))


def rename(state_dict: Mapping[str, Tensor], rules: Pairs, drops: Pairs, source: str) -> Conversion:
    """Applies the first matching rule to every key.

    Args:
        state_dict: the source.
        rules: pairs (regular expression for the whole key, replacement).
        drops: pairs (regular expression for the whole key, reason).
        source: name of the source format, for the message.

    Returns:
        The conversion.

    Raises:
        ValueError: naming the keys that no rule knows, or two keys that mean the same.
    """
    result, renamed, dropped, unknown = {}, {}, {}, []
    for key, value in state_dict.items():
        target = _first_match(key, rules)
        reason = next((text for pattern, text in drops if re.fullmatch(pattern, key)), None)
        if target is not None:
            if target in result:
                twin = next(old for old, new in renamed.items() if new == target)
                raise ValueError(f'{twin!r} and {key!r} of the file are the same weight')
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


def _first_match(key: str, rules: Pairs) -> str | None:
    for pattern, replacement in rules:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    return None
