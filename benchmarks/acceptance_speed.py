"""Acceptance: time and memory of a step, of an optimizer's step, and of a compiled one."""

import time
from collections.abc import Iterator
from statistics import median

import optimizer_step
import torch
import torch.nn.functional as F
from acceptance_rows import Row, Settings, at_most, free_memory, holds
from harness import (
    interleave,
    paired_ratio,
    peak_gib,
    product_rate,
    resident_gib,
    wait_for_device,
)
from step_time import make
from steps import Step, build_model
from torch.nn.attention import SDPBackend, sdpa_kernel

from pmd_mmaction.hooks import CompileHook
from pmd_mmaction.hooks.throughput.peaks import peak_tflops
from pmd_mmaction.models.operations import iteration_gflops

PASSES = 64  # of the student in a step, masks of a clip counted each
VARIANTS = ('base', 'PMD', 'PMD, 2 masks', 'PMD, 2 masks, half decoded', 'reference')
# Time of a pass of the student: of which variant, at most. PMD over base is its
# operation count at 90 % and 2 % more.
GOALS = {
    ('PMD', 'base'): 1.144 * 1.02,
    ('PMD, 2 masks', 'PMD'): 0.76,
    ('PMD, 2 masks, half decoded', 'PMD'): 0.58,
    ('PMD, 2 masks', 'reference'): 0.66,
    ('PMD, 2 masks, half decoded', 'reference'): 0.50,
}


def ready(variant: str, settings: Settings) -> tuple[Step, float]:
    """A step that has run twice, with as many clips as fit, and its own peak in GiB."""
    masks = 2 if '2 masks' in variant else 1
    clips = (2 if settings.tiny else PASSES) // masks
    while True:
        free_memory()
        before = resident_gib(settings.device)
        step = make(variant, clips, settings.tiny, True, 12, settings.device)
        try:
            step(), step()
            wait_for_device()
            return step, peak_gib(settings.device) - before
        except torch.OutOfMemoryError:
            if clips == 1:
                raise
            del step
            clips //= 2


def step_time(settings: Settings) -> Iterator[Row]:
    """Base, PMD, two masks and the plain reference: bf16 autocast, batch 64, mask ratio 90 %."""
    side = 256 if settings.tiny else 8192
    rate = product_rate(settings.device, side, 10, torch.bfloat16) / 1e3
    yield Row(f'bf16 product of {side} x {side}, TFLOP/s', rate)
    peak = None
    if settings.device == 'cuda':
        peak = peak_tflops(torch.cuda.get_device_name(), 'bfloat16')
        query = torch.randn(2, 12, 1568, 64, device='cuda', dtype=torch.bfloat16)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # raises where it does not serve
            out = F.scaled_dot_product_attention(query, query, query)
        yield holds('flash attention takes a teacher layer', out.isfinite().all())
    steps, gflops = {}, {}
    for variant in VARIANTS:
        steps[variant], gib = ready(variant, settings)
        clips = len(steps[variant].clips)
        if settings.device == 'cuda':
            yield Row(f'{variant}: peak GiB', gib, note=f'{clips} clips')
        if variant != 'reference':  # which computes more than the count of its model says
            model = steps[variant].model
            step = iteration_gflops(model, model.phase, model.previous_ratio)['step']
            gflops[variant] = clips * step
    free_memory()
    times = interleave(steps, 1 if settings.tiny else 10)
    per_pass = {}
    for variant, seconds in times.items():
        passes = len(steps[variant].clips) * steps[variant].model.num_masks
        per_pass[variant] = [s / passes for s in seconds]
        note = f'{passes / median(seconds):.0f} passes/s'
        yield Row(f'{variant}: ms', 1e3 * median(seconds), note=note)
        if variant in gflops:
            tflops = gflops[variant] / median(seconds) / 1e3
            yield Row(f'{variant}: share of the measured product', tflops / rate)
            if peak is not None:
                yield Row(f'{variant}: MFU, of {peak} TFLOP/s', tflops / peak)
    for (variant, other), most in GOALS.items():
        ratio = paired_ratio(per_pass[variant], per_pass[other])
        yield settings.timed(f'a pass of {variant}, of {other}', ratio, round(most, 3))


def optimizer(settings: Settings) -> Iterator[Row]:
    """Host time of AdamW's step, a group for each parameter and merged."""
    depth, repeats = (3, 2) if settings.tiny else (12, 30)
    optimizers, times = optimizer_step.measure(settings.device, depth, repeats)
    for name, seconds in times.items():
        groups = len(optimizers[name].param_groups)
        yield Row(f'AdamW, {name}: ms', 1e3 * median(seconds), note=f'{groups} groups')
    ratio = paired_ratio(times['fused, merged'], times['foreach, many groups'])
    yield Row('AdamW, fused and merged of foreach and many groups', ratio)


def compiled(settings: Settings) -> Iterator[Row]:
    """``distill`` as one graph, as CompileHook compiles it."""
    model = build_model(tiny=settings.tiny, device=settings.device)
    model.eval()  # no drop path: both compute the same
    clips = 2 if settings.tiny else PASSES
    plain, quick = (Step(model, clips, autocast=True) for _ in range(2))
    quick.clips, quick.history = plain.clips, plain.history
    # Generating code for a CPU takes longer than a rehearsal may.
    options = CompileHook(**(dict(backend='eager') if settings.tiny else {})).options
    quick.distill = torch.compile(model.distill, **options)
    losses, start = [], time.perf_counter()
    for step in (quick, plain):
        with torch.autocast(settings.device, torch.bfloat16):
            loss = step.forward()
        loss.backward()
        model.zero_grad()
        losses.append(loss.item())
        if step is quick:
            yield Row('compiling, s', time.perf_counter() - start)
    yield at_most('error of the loss', abs(losses[0] / losses[1] - 1), 3e-3)
    times = interleave(dict(plain=plain, quick=quick), 1 if settings.tiny else 5)
    yield Row('PMD: ms', 1e3 * median(times['plain']))
    yield Row('PMD, compiled: ms', 1e3 * median(times['quick']))
    yield Row('PMD, compiled of plain', paired_ratio(times['quick'], times['plain']))
