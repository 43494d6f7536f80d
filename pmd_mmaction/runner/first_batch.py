"""Checks that there are enough videos for a batch."""

import math


def few_videos(videos: int, batch: int, ranks: int) -> tuple[str, str]:
    """Problem and remedy if an epoch has no complete batch.

    Args:
        videos: number of training videos.
        batch: videos per GPU in an iteration.
        ranks: GPUs (on the CPU: processes).
    """
    share = math.ceil(videos / ranks)  # the sampler pads
    found = (
        f'{videos} videos are not one batch: train_dataloader.batch_size is {batch} per GPU, '
        f'{ranks} GPU(s) want {batch * ranks}, and drop_last=True leaves out what is less'
    )
    return found, (
        f'set train_dataloader.batch_size to {max(share, 1)} or less, take fewer GPUs, or set '
        'train_dataloader.drop_last=False'
    )
