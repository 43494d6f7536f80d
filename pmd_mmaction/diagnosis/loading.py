"""Checks what data loading needs: enough videos, and shared memory."""

import math
import shutil
import warnings
from collections.abc import Iterator, Mapping

from mmaction.registry import DATASETS

from pmd_mmaction.diagnosis.finding import Finding, at_least, first_line, judge
from pmd_mmaction.runner.few_videos import few_videos
from pmd_mmaction.runner.shared_memory import (
    SHARED_MEMORY,
    SharedMemory,
    bytes_of,
    describe_free_space,
)


def examine_loading(loader: Mapping, videos: int, gpus: int, table: int = 0) -> Iterator[Finding]:
    """Checks that an epoch has iterations and that shared memory can hold the batches.

    Args:
        loader: config of the training data loader.
        videos: number of videos of its data set, at least one.
        gpus: ranks per node.
        table: bytes of the difficulty table in shared memory.
    """
    batch = at_least(loader.get('batch_size'), 1)
    videos *= at_least(loader['dataset'].get('times'), 1)  # RepeatDataset
    share = math.ceil(videos / gpus)
    sampler = loader.get('batch_sampler') or {}
    rounding = math.floor if loader.get('drop_last') or sampler else math.ceil
    steps = at_least(sampler.get('accumulative_counts'), 1)  # WholeStepBatchSampler drops the rest
    found = f'{videos} videos, {batch} per GPU, {gpus} GPU(s)'
    if iterations := rounding(share / batch) // steps * steps:
        yield Finding('batches', 'ok', f'{found}: {iterations} iterations per epoch')
    else:
        yield Finding('batches', 'error', *few_videos(videos, batch, gpus, steps))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of SeedAugmentation, which has no epoch here
            sample = DATASETS.build(loader['dataset'])[0]
    except Exception as error:  # whatever is in the file and the pipeline
        remedy = 'if other videos are as bad: tools/data/check_videos.py finds them all'
        yield Finding('first video', 'warning', first_line(error), remedy)
        return
    workers = at_least(loader.get('num_workers'), 0)
    prefetch = at_least(loader.get('prefetch_factor') or 2, 1)  # 2 is torch's own
    need = SharedMemory(batch * bytes_of(sample), prefetch, workers, gpus, table)
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else math.inf
    found = f'{need} per node; {describe_free_space()}'
    yield judge('shared memory of batches', free >= need.total, found, need.remedy)
