"""What to say when an epoch has no complete batch."""

import math


def few_videos(videos: int, batch: int, ranks: int, steps: int) -> tuple[str, str]:
    """Problem and remedy if an epoch has no complete batch.

    Args:
        videos: number of training videos.
        batch: videos per GPU in an iteration.
        ranks: GPUs (on the CPU: processes).
        steps: iterations of an optimiser step, ``accumulative_counts`` of the batch sampler.
    """
    share = math.ceil(videos / ranks)  # the sampler pads
    if steps > 1:
        found = (
            f'{videos} videos are not one step of {steps} batches (accumulative_counts): '
            f'train_dataloader.batch_size is {batch} per GPU, {ranks} GPU(s) need '
            f'{batch * ranks * steps}'
        )
        return found, (
            f'set train_dataloader.batch_size to {max(share // steps, 1)} or less, or a smaller '
            'accumulative_counts in optim_wrapper, train_dataloader.batch_sampler and auto_scale_lr'
        )
    found = (
        f'{videos} videos are not one batch: train_dataloader.batch_size is {batch} per GPU, '
        f'{ranks} GPU(s) need {batch * ranks}, and drop_last=True leaves out an incomplete batch'
    )
    return found, (
        f'set train_dataloader.batch_size to {max(share, 1)} or less, take fewer GPUs, or set '
        'train_dataloader.drop_last=False'
    )
