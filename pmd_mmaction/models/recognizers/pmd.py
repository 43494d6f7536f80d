"""Progressive Mask Distillation, composed of its parts."""

from typing import Mapping

from mmaction.registry import MODELS

from pmd_mmaction.arguments import Config, Options, checked, require_keys
from pmd_mmaction.models.recognizers.distillation import MaskedDistillation

# How a config names a teacher in loss_weight, and how the log does.
WEIGHTS = dict(image='img', video='vid')


@MODELS.register_module()
class PMDRecognizer(MaskedDistillation):
    """Masked video distillation from two frozen teachers, with PSD, DARE and CLFA.

    ``L = l_base L_base + l_pg L_pg + l_df L_df + l_al L_al`` (the PMD paper, ``L_total``). A
    term whose argument is None is off.

    Args:
        backbone: the student's encoder, a :class:`MaskedVisionTransformer`.
        decoder: config of a :class:`FeatureDecoder`; one is built for each teacher.
        masker: a :class:`Masker`.
        image_teacher: :class:`TimmImageTeacher`, or None.
        video_teacher: :class:`VideoMAETeacher`, or None.
        base: arguments of :class:`BaseTerm`; the ``loss_weight`` of a term may be
            ``dict(image=..., video=...)``.
        psd: arguments of :class:`PSDTerm`.
        dare: arguments of :class:`DARETerm`; needs ``DAREHook``.
        clfa: config of a :class:`CLFATerm`.
        views: as in :class:`MaskedDistillation`.
        num_masks: masks per clip, which share one pass of the teachers.
        teacher_dtype: as in :class:`MaskedDistillation`.
        data_preprocessor: as usual in MMAction2.

    Raises:
        ValueError: without a teacher, with neither ``base`` nor ``dare``, or for parts that do
            not fit together.
    """

    TEACHER_ARGUMENTS = dict(img='image_teacher', vid='video_teacher')

    @checked
    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        masker: dict,
        image_teacher: dict | None = None,
        video_teacher: dict | None = None,
        base: Options | None = None,
        psd: Options | None = None,
        dare: Options | None = None,
        clfa: Config | None = None,
        views: Mapping[str, dict] | None = None,
        num_masks: int = 1,
        teacher_dtype: str | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        if base is None and dare is None:
            raise ValueError(
                'base and dare are both off, so nothing trains the decoders: give one of them; '
                'psd and clfa are additions'
            )
        teachers = dict(img=image_teacher, vid=video_teacher)
        teachers = {name: cfg for name, cfg in teachers.items() if cfg is not None}
        if not teachers:
            raise ValueError('give image_teacher, video_teacher or both')
        names = {name: short for name, short in WEIGHTS.items() if short in teachers}
        super().__init__(
            backbone,
            masker,
            teachers,
            _terms(base, psd, dare, clfa, names),
            decoder,
            views,
            num_masks=num_masks,
            teacher_dtype=teacher_dtype,
            data_preprocessor=data_preprocessor,
        )


def _terms(
    base: Mapping | None,
    psd: Mapping | None,
    dare: Mapping | None,
    clfa: Mapping | None,
    names: Mapping[str, str],
) -> list[dict]:
    """Configs of the enabled terms; base gives PSD its reduction, and DARE its distance too."""
    base, psd, dare, clfa = (_by_log_name(term, names) for term in (base, psd, dare, clfa))
    reduction = {k: v for k, v in (base or {}).items() if k == 'channel_reduction'}
    distance = {k: v for k, v in (base or {}).items() if k == 'distance'} | reduction
    given = (('BaseTerm', base, {}), ('PSDTerm', psd, reduction), ('DARETerm', dare, distance))
    terms = [
        dict(type=kind, **(known | dict(term))) for kind, term, known in given if term is not None
    ]
    return terms if clfa is None else [*terms, clfa]


def _by_log_name(term: Mapping | None, names: Mapping[str, str]) -> Mapping | None:
    """Renames a term's weights for ``image`` and ``video`` to the teachers' names in the log."""
    if term is None or not isinstance(term.get('loss_weight'), Mapping):
        return term
    weights = term['loss_weight']
    require_keys('PMDRecognizer', list(names), names, loss_weight=weights)
    return {**term, 'loss_weight': {names[name]: weight for name, weight in weights.items()}}
