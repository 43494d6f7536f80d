"""Masked distillation: one training iteration, composed of views, teachers and terms."""

from typing import Any, Mapping, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from pmd_mmaction.arguments import checked
from pmd_mmaction.contracts import Diagnosis, PatchLosses
from pmd_mmaction.functional import GroupStatistics, Phase
from pmd_mmaction.models.maskers import View, positions_within
from pmd_mmaction.models.operations import build_without_weights, iteration_gflops
from pmd_mmaction.models.recognizers.curriculum import CurriculumRecognizer
from pmd_mmaction.models.recognizers.diagnosis import diagnose
from pmd_mmaction.models.recognizers.part_building import build_part, build_teachers, build_terms
from pmd_mmaction.models.recognizers.part_checks import check_decoders, check_reach, check_views
from pmd_mmaction.models.teachers import LayerGroup
from pmd_mmaction.models.terms import History, Step, Term, add_losses
from pmd_mmaction.models.terms.psd import TeacherDtype

Groups = dict[str, dict[str, tuple[GroupStatistics, ...]]]


@MODELS.register_module()
class MaskedDistillation(CurriculumRecognizer):
    """A masked student that learns from any number of teachers through any number of terms.

    Computes only what the terms ask for: teachers that no term needs are not run, layers that
    none reads are not kept, and a decoder exists only where a term reads predictions.

    Args:
        backbone: the student's encoder, a :class:`MaskedVisionTransformer`.
        masker: a :class:`Masker`.
        teachers: name to a :class:`FeatureTeacher`; the log uses these names.
        terms: a config per :class:`Term`.
        decoder: config of a :class:`FeatureDecoder`; one is built for each teacher.
        views: name to ``dict(mask_ratio=...)`` for wider views that contain the student's, which
            teachers may see; ``decode=dict(type=..., mask_ratio=...)``, a :class:`Masker`, leaves
            that share of the student's masked patches undecoded; with ``whole_clip=True`` that
            share of all patches, as VideoMAE V2, and visible ones that are decoded do not count.
        mask_ratio: share of masked patches; None: ``ProgressivePhaseHook`` sets it.
        num_masks: masks per clip, which share one pass of the teachers.
        mask_choice: ``'disjoint'`` cuts them out of one ranking, so that each shows other patches;
            ``'permuted'`` takes all but the first from random clips of the batch (SMILE).
        teacher_dtype: ``'bfloat16'`` or ``'float16'``: matrix products of all teachers, the
            auxiliary one included unless its term says otherwise, run in it, and their weights
            are kept in it; None: as the rest of the model.
        data_preprocessor: as usual in MMAction2.

    Raises:
        ValueError: for parts that do not fit together.
    """

    TEACHER_ARGUMENTS: dict[str, str] = {}  # what a subclass calls a teacher in its config

    @checked
    def __init__(
        self,
        backbone: dict,
        masker: dict,
        teachers: Mapping[str, dict],
        terms: Sequence[dict],
        decoder: dict | None = None,
        views: Mapping[str, dict] | None = None,
        mask_ratio: float | None = None,
        num_masks: int = 1,
        mask_choice: str = 'disjoint',
        teacher_dtype: TeacherDtype = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(
            backbone, masker, views, num_masks, mask_choice, mask_ratio, data_preprocessor
        )
        self.teacher_dtype = teacher_dtype
        self.teachers = build_teachers(self, teachers)
        self.decoders = ModuleDict()
        self.terms = build_terms(self, terms)
        check_views(self.terms.values(), self.views, self._nested)
        for name in self._teachers_of(term for term in self.terms.values() if term.decodes):
            self.decoders[name] = build_part(
                self,
                'decoder',
                decoder,
                dict(
                    in_dims=self.backbone.embed_dims,
                    out_dims=self.teachers[name].embed_dims,
                    token_grid=self.backbone.token_grid,
                ),
            )
        self.used_teachers = [name for name in self.teachers if self._is_read(name)]
        self._student_layers = sorted({i for t in self.terms.values() for i in t.student_layers})
        for teacher in self.teachers.values():
            teacher.compute_in(teacher_dtype)

    def check_phase(self, phase: Phase, previous_ratio: float | None = None) -> None:
        """As :meth:`CurriculumRecognizer.check_phase`, and every layer has to learn in it.

        Raises:
            ValueError: also if the terms of this phase read inner layers alone, there is none, or
                there is a decoder that none reads.
        """
        super().check_phase(phase, previous_ratio)
        terms = [t for t in self.terms.values() if previous_ratio or not t.needs_auxiliary]
        check_reach(terms, self.backbone.depth, phase)
        check_decoders(self.decoders.keys(), terms, phase)

    @staticmethod
    def step_gflops(
        cfg: Mapping, phases: Sequence[Phase], previous_ratio: float | None = None
    ) -> list[float]:
        """GFLOPs per clip of a training step in each phase, all its masks together.

        Args:
            cfg: the config's ``model``, which is built without weights; this one is left alone.
            phases: the phases.
            previous_ratio: mask ratio before the first of them; None: nothing was before.
        """
        twin = build_without_weights(cfg)
        before = [previous_ratio, *(phase.mask_ratio for phase in phases)]
        return [iteration_gflops(twin, *pair)['step'] for pair in zip(phases, before)]

    def _terms_on(self, teacher: str) -> list[Term]:
        """The terms that learn from a teacher."""
        return [term for term in self.terms.values() if teacher in (term.teachers or self.teachers)]

    def _is_read(self, teacher: str) -> bool:
        """Whether a term needs anything that the teacher computes."""
        depth = self.teachers[teacher].depth
        return any(t.reads_targets or t.teacher_groups(depth) for t in self._terms_on(teacher))

    def _teachers_of(self, terms: Any) -> list[str]:
        """Names of the teachers from which these terms learn, in the order of the config."""
        wanted = {name for term in terms for name in term.teachers or self.teachers}
        return [name for name in self.teachers if name in wanted]

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """One training iteration: the weighted terms of the total loss.

        Args:
            inputs: ``(B, clips, C, T, H, W)`` normalised clips.
            data_samples: B data samples; with DARE each needs ``sample_idx``.

        Returns:
            Log key to scalar float32, each already multiplied by its lambda.

        Raises:
            RuntimeError: if no phase is set, or DARE has no difficulty table.
            ValueError: if a data sample lacks what DARE or the masker reads, or the clips are of
                another size.
        """
        clips = inputs.flatten(0, 1)
        views = self.draw_views(clips, data_samples)
        sample_idx, history = self.read_history(data_samples, inputs.shape[1], clips.device)
        losses, smoothed, self._diagnosis = self.distill(clips, views, history)
        if smoothed is not None:
            masks = [index for index in sample_idx for _ in range(self.num_masks)]
            self._outbox = PatchLosses(masks, views['student'].masked, smoothed.detach())
        return losses

    def distill(
        self, clips: Tensor, views: Mapping[str, View], history: History | None = None
    ) -> tuple[dict[str, Tensor], Tensor | None, Diagnosis | None]:
        """The computation of one iteration: tensors in, tensors out, no state.

        Args:
            clips: ``(B, C, T, H, W)`` normalised clips.
            views: result of :meth:`draw_views`, R masks.
            history: smoothed losses of the clips' patches; None without DARE.

        Returns:
            The weighted losses, ``(R, K, M)`` new smoothed losses (None without DARE), and the
            diagnosis if this iteration has one.
        """
        step = self.observe(clips, views, history)
        losses: dict[str, Tensor] = {}
        for term in self.terms.values():
            add_losses(losses, term, term(step))
        smoothed = None if self.dare is None else self.dare.smoothed(step)
        return losses, smoothed, self._diagnose(step) if self._diagnosed else None

    def observe(
        self, clips: Tensor, views: Mapping[str, View], history: History | None = None
    ) -> Step:
        """What teachers and student make of the clips, for the terms; arguments as above."""
        student = views['student']
        targets, groups = self.teach(clips, views)
        encoded = self.backbone.encode(clips, student.visible, self._student_layers)
        return Step(
            views=views,
            targets=targets,
            groups=groups,
            layers=dict(zip(self._student_layers, encoded.layers)),
            decoded={name: d(encoded.tokens, *student) for name, d in self.decoders.items()},
            seen=self._seen(views),
            auxiliary=self._auxiliary(clips, views),
            history=history,
            tokens=encoded.tokens,
        )

    def term_losses(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """The loss of each term by its name, summed over the teachers; arguments of :meth:`loss`.

        Has the graph of each, leaves nothing behind and is never compiled.
        """
        clips = inputs.flatten(0, 1)
        views = self.draw_views(clips, data_samples)
        _, history = self.read_history(data_samples, inputs.shape[1], clips.device)
        step = self.observe(clips, views, history)
        return {name: sum(term(step).values()) for name, term in self.terms.items()}

    @torch.no_grad()
    def examine(self, inputs: Tensor, data_samples: list) -> Diagnosis | None:
        """The diagnosis of clips that are not trained on; arguments of :meth:`loss`.

        None without a mask ratio, and for a masker that reads metainfo, which only the training
        pipeline gives.
        """
        if self.current_mask_ratio is None or self.masker.reads:
            return None
        clips = inputs.flatten(0, 1)
        return self._diagnose(self.observe(clips, self.draw_views(clips)))

    def _diagnose(self, step: Step) -> Diagnosis:
        return diagnose(step, self.terms.values(), self.num_masks)

    def teach(self, clips: Tensor, views: Mapping[str, View]) -> tuple[dict[str, Tensor], Groups]:
        """Features of the teachers, and for each term the statistics of the layers it reads.

        Args:
            clips: ``(B, C, T, H, W)`` normalised clips.
            views: result of :meth:`draw_views`.

        Returns:
            ``Step.targets`` and ``Step.groups``.
        """
        targets: dict[str, Tensor] = {}
        groups: Groups = {name: {} for name in self.terms}
        for name in self.used_teachers:
            features, statistics = self.ask(name, clips, views)
            if features is not None:
                targets[name] = features
            for key, answer in statistics.items():
                groups[key][name] = answer
        return targets, groups

    def ask(
        self, name: str, clips: Tensor, views: Mapping[str, View]
    ) -> tuple[Tensor | None, dict[str, tuple[GroupStatistics, ...]]]:
        """What the terms want from one teacher, which runs no layer beyond.

        Args:
            name: the teacher.
            clips: ``(B, C, T, H, W)`` normalised clips.
            views: result of :meth:`draw_views`.

        Returns:
            Its features, None if no term reads them; and each term's statistics.
        """
        teacher, seen = self.teachers[name], self._seen(views).get(name)
        terms = self._terms_on(name)
        wanted = {
            term.name: [
                LayerGroup(layers, self._within(term.token_index(views), seen))
                for layers in term.teacher_groups(teacher.depth)
            ]
            for term in terms
        }
        requests = [group for request in wanted.values() for group in request]
        last = any(term.reads_targets for term in terms)
        taught = teacher(clips, requests, seen, last=last)
        answers = iter(taught.groups)
        statistics = {key: tuple(next(answers) for _ in asked) for key, asked in wanted.items()}
        return taught.features, statistics

    def _seen(self, views: Mapping[str, View]) -> dict[str, Tensor]:
        """The patches of the teachers that see a view instead of the full clip."""
        views_of = {name: teacher.view for name, teacher in self.teachers.items()}
        return {name: views[view].visible for name, view in views_of.items() if view is not None}

    def _within(self, index: Tensor | None, seen: Tensor | None) -> Tensor | None:
        """Positions of patches among those that a teacher sees."""
        if index is None or seen is None:
            return index
        return positions_within(index, seen, self.backbone.num_patches)

    def _auxiliary(self, clips: Tensor, views: Mapping[str, View]) -> dict[str, Tensor] | None:
        """Predictions of the student of the previous phase; None in the first phase."""
        if self.auxiliary_teacher is None or not self.needs_auxiliary_teacher:
            return None
        return self.auxiliary_teacher(clips, *views['auxiliary'])
