"""Strict renaming: every key is renamed, dropped for a stated reason, or an error.

Parts of names that wrappers add are ignored, in any order and number: DDP's and DeepSpeed's
``module.``, Lightning's ``model.``, ``_orig_mod.`` of ``torch.compile``, those of FSDP and of
activation checkpointing. The prefix of an encoder, ``backbone.`` or ``encoder.``, is optional.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Iterator, Mapping, Sequence

from torch import Tensor

Pairs = Sequence[tuple[str, str]]
_WRAPPERS = re.compile(
    r'(?:^|(?<=\.))(?:module|model|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.'
)
_AROUND_AN_ENCODER = ('backbone.', 'encoder.')


@dataclass(frozen=True)
class Conversion:
    """A converted state dict and the report.

    Attributes:
        state_dict: the result.
        renamed: source key to the result key that contains its values.
        dropped: source key to the reason why it is not in the result.
        notes: other changes, one sentence each.
    """

    state_dict: dict[str, Tensor]
    renamed: dict[str, str]
    dropped: dict[str, str]
    notes: tuple[str, ...] = ()

    def then(self, second: Conversion) -> Conversion:
        """The combined report of two steps, in terms of the first step's source.

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
        rules: pairs (regular expression for the whole key without wrappers, replacement).
        drops: pairs (regular expression for the whole key without wrappers, reason).
        source: name of the source format, for the message.

    Returns:
        The conversion.

    Raises:
        ValueError: naming keys that no rule matches, or two keys for the same weight.
    """
    result, renamed, dropped, unknown = {}, {}, {}, []
    for key, value in state_dict.items():
        target, reason = _look_up(key, rules, drops)
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
            f'as {unknown[:5]}{_remedy(state_dict)}'
        )
    if not result:
        raise ValueError(f'not a {source} checkpoint: it has none of the expected keys')
    return Conversion(result, renamed, dropped)


def _look_up(key: str, rules: Pairs, drops: Pairs) -> tuple[str | None, str | None]:
    """The new name of a key, or the reason to drop it, or neither."""
    for name in _plain_names(key):
        for pattern, replacement in rules:
            if re.fullmatch(pattern, name):
                return re.sub(pattern, replacement, name), None
        for pattern, reason in drops:
            if re.fullmatch(pattern, name):
                return None, reason
    return None, None


def _plain_names(key: str) -> Iterator[str]:
    """The key without wrappers, then also without the prefix of an encoder."""
    yield key
    name = _WRAPPERS.sub('', key)
    while True:
        yield name
        if not name.startswith(_AROUND_AN_ENCODER):
            return
        name = name.partition('.')[2]


def _remedy(state_dict: Mapping[str, Tensor]) -> str:
    first = {key.partition('.')[0] for key in state_dict}
    if len(first) == 1 and all('.' in key for key in state_dict):
        return f". All keys start with '{first.pop()}.': if --from is right, save them without it"
    return '. Choose another --from, or save the file without them'
