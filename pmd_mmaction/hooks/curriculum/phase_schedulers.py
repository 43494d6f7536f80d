"""Learning rate schedulers derived from the phases."""

from typing import Annotated

from pmd_mmaction.arguments import Count, Rate, Share, number
from pmd_mmaction.functional import PhaseSchedule

# what phase_schedulers takes in a config
KEYS = dict(
    warmup=Rate,
    start_factor=Annotated[float, number(above=0, at_most=1)],
    eta_min_ratio=Share,
    extra_epochs=Count,
)


def phase_schedulers(
    phases: PhaseSchedule,
    restart: bool,
    warmup: float = 0.1,
    start_factor: float = 1e-6,
    eta_min_ratio: float = 0.0,
    extra_epochs: int = 0,
) -> list[dict]:
    """Configs of MMEngine's schedulers: linear warm-up, then half a cosine, updated every step.

    Args:
        phases: the curriculum.
        restart: one schedule per phase; False: a single one over all of them.
        warmup: fraction of the epochs spent on warm-up, rounded to whole epochs; one
            is left to the cosine.
        start_factor: learning rate of the first step relative to the peak, in (0, 1].
        eta_min_ratio: final learning rate relative to the peak.
        extra_epochs: how much longer the cosine is than the phase, which ends before its end: 1 in
            VideoMAE and MVD, which train 401 epochs and use the weights after 400.
    """
    spans = [(phase.begin, phase.end) for phase in phases.phases]
    spans = spans if restart else [(0, phases.total_epochs)]
    by_step = dict(by_epoch=True, convert_to_iter_based=True)
    schedulers: list[dict] = []
    for begin, end in spans:
        top = begin + min(round(warmup * (end - begin)), end - begin - 1)
        if top > begin:
            rise = dict(type='LinearLR', start_factor=start_factor, begin=begin, end=top)
            schedulers.append(rise | by_step)
        fall = dict(type='CosineAnnealingLR', begin=top, end=end, eta_min_ratio=eta_min_ratio)
        schedulers.append(fall | dict(T_max=end - top + extra_epochs) | by_step)
    return schedulers
