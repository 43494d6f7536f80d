"""Base classes of teachers: a frozen network that training cannot change."""

import copy
import math
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Annotated, Callable, Collection, Iterator, NamedTuple, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from pmd_mmaction.arguments import Text, checked, one_of
from pmd_mmaction.functional import (
    GroupStatistics,
    RunningStatistics,
    gather_tokens,
    normalize_target,
)
from pmd_mmaction.functional.patch_loss import TARGET_NORMS

TargetNorm = Annotated[str, one_of(TARGET_NORMS)]


class LayerGroup(NamedTuple):
    """A group of teacher layers whose statistics a term reads.

    Attributes:
        layers: indices of the layers, from 0.
        token_index: ``(R, L)`` int64 patches to take the statistics at; None: all.
    """

    layers: range
    token_index: Tensor | None = None


class TeacherOutput(NamedTuple):
    """Targets of one teacher.

    Attributes:
        features: ``(B, N, D)`` features of the last layer on the student's patch grid, or
            ``(R, V, D)`` of the visible patches; None if they were not asked for.
        groups: statistics of each requested layer group.
    """

    features: Tensor | None
    groups: tuple[GroupStatistics, ...]


class FrozenTeacher(nn.Module):
    """A network outside the module tree, frozen and always in eval mode.

    The network is a plain attribute, not a submodule, so ``parameters()``, ``state_dict()``,
    ``train()``, DDP, the optimiser, EMA and weight initialisation do not see it; only ``to()``,
    ``cuda()`` and the like reach it, through ``_apply``.

    Args:
        network: the network; its parameters stop requiring gradients.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        object.__setattr__(self, 'network', network.eval().requires_grad_(False))
        self.dtype: torch.dtype | None = None

    def compute_in(self, dtype: str | None) -> None:
        """Runs matrix products in ``dtype`` from now on, whatever surrounds the teacher.

        This is autocast with the weights of linear layers and convolutions cast once: autocast
        itself casts frozen weights again in every call, and keeps both copies.

        Args:
            dtype: ``'bfloat16'`` or ``'float16'``; None changes nothing.
        """
        if dtype is None:
            return
        self.dtype = getattr(torch, dtype)
        for module in self.network.modules():
            if isinstance(module, nn.Linear | _ConvNd):
                module.to(self.dtype)

    def precision(self, device: torch.device) -> AbstractContextManager:
        """Context for a forward pass; without a ``dtype`` an outer autocast stays in force."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(device.type, self.dtype)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'FrozenTeacher':
        self.network._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        # A copied model (EMA) shares the weights, which nothing changes, but may go to a device or
        # dtype of its own.
        for tensor in chain(self.network.parameters(), self.network.buffers(), self.buffers()):
            shared = tensor.detach()
            is_weight = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(shared, requires_grad=False) if is_weight else shared
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied


class FeatureTeacher(FrozenTeacher):
    """A frozen encoder whose tokens are on the student's patch grid.

    Subclasses set ``depth``, ``embed_dims``, ``token_grid`` and ``clip_size`` and define
    :meth:`iter_layers` and :meth:`final_norm`.

    Args:
        network: the encoder.
        target_norm: ``'layer_norm'``, ``'channel_norm'`` or ``'none'``, see
            :func:`~pmd_mmaction.functional.normalize_target`.
        last_norm: apply the network's own last norm; MVD does not.
        view: name of the view whose visible patches it sees; None: the full clip.
    """

    depth: int
    embed_dims: int
    token_grid: tuple[int, int, int]
    clip_size: tuple[int, int, int, int]  # (C, T, H, W)

    @checked
    def __init__(
        self,
        network: nn.Module,
        target_norm: TargetNorm = 'layer_norm',
        last_norm: bool = True,
        view: Text | None = None,
    ) -> None:
        super().__init__(network)
        self.view = view
        self.last_norm = last_norm
        self.target_norm = target_norm

    def iter_layers(
        self,
        clips: Tensor,
        layers: Collection[int] | None = None,
        visible_index: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yields the ``(B, N, D)`` tokens after each layer, or ``(R, V, D)`` of the visible.

        Args:
            clips: ``(B, C, T, H, W)`` float clips.
            layers: layers to yield, from 0; None: all.
            visible_index: ``(R, V)`` int64 patches; None: all.
        """
        raise NotImplementedError(f'{type(self).__name__} has no iter_layers(clips, ...)')

    def final_norm(self, tokens: Tensor) -> Tensor:
        """The network's own last norm."""
        raise NotImplementedError(
            f'{type(self).__name__} has no final_norm(tokens): write it, or set last_norm=False'
        )

    @torch.no_grad()
    def forward(
        self,
        clips: Tensor,
        groups: Sequence[LayerGroup] = (),
        visible_index: Tensor | None = None,
        last: bool = True,
    ) -> TeacherOutput:
        """Computes the targets from the full clip, or from the visible patches.

        Args:
            clips: ``(B, C, T, H, W)`` float clips, normalised as the student's.
            groups: layer groups to compute statistics of, their index relative to what it sees.
            visible_index: ``(R, V)`` int64 patches it sees; None: all.
            last: give the features of the last layer; otherwise it stops at that of the groups.

        Returns:
            :class:`TeacherOutput`.
        """
        with self.precision(clips.device):
            running = [RunningStatistics() for _ in groups]
            ends = {self.depth - 1} if last else set()
            wanted = sorted(ends.union(*(group.layers for group in groups)))
            tokens, found = None, 0
            for tokens in self.iter_layers(clips, wanted, visible_index):
                self._check_tokens(tokens, visible_index)
                index = wanted[found] if found < len(wanted) else None
                found += 1
                for (layers, token_index), statistics in zip(groups, running):
                    if index in layers:
                        statistics.add(self._target(tokens, token_index))
            if found != len(wanted):
                raise ValueError(
                    f'{type(self).__name__}.iter_layers was asked for layers {wanted} and yielded '
                    f'{found}: it must yield those, in this order'
                )
            features = None
            if last:
                features = self.final_norm(tokens) if self.last_norm else tokens
                features = normalize_target(features, self.target_norm)
            return TeacherOutput(features, tuple(s.result() for s in running))

    def _target(self, tokens: Tensor, index: Tensor | None) -> Tensor:
        """Normalised tokens of a layer at some patches; None: at all."""
        if index is None:
            return normalize_target(tokens, self.target_norm)
        if self.target_norm == 'channel_norm':  # looks at all tokens of the clip
            return gather_tokens(normalize_target(tokens, self.target_norm), index)
        return normalize_target(gather_tokens(tokens, index), self.target_norm)

    def _check_tokens(self, tokens: Tensor, visible_index: Tensor | None) -> None:
        seen = math.prod(self.token_grid) if visible_index is None else visible_index.shape[1]
        if tokens.shape[1:] != (seen, self.embed_dims):
            raise ValueError(
                f'{type(self).__name__}.iter_layers yields tokens of {tuple(tokens.shape)}; they '
                f'must be (clips, {seen} patches, {self.embed_dims} channels)'
            )
