"""Sizes of model, clips and training that fit the videos and the machine."""

from typing import NamedTuple

import torch

from pmd_mmaction.cpu_cores import count_cores

PHASES = 4


class Machine(NamedTuple):
    """What there is to train on.

    Attributes:
        gpus: number; 0: the CPU.
        memory: of the smallest GPU in GB.
        cores: CPU cores.
        dtype: of products, ``'float32'`` on a CPU.
    """

    gpus: int
    memory: float
    cores: int
    dtype: str = 'float32'


class Preset(NamedTuple):
    """Sizes of a pre-training.

    Attributes:
        embed_dims: width D.
        depth: layers.
        num_heads: attention heads.
        img_size: side of a clip in pixels.
        patch_size: side of a patch.
        num_frames: frames T of a clip.
        frame_interval: one frame of so many.
        decoder_dims: width of the decoders.
        short_side: of the copies of the videos.
        batch_size: clips on a device at the most.
        steps: of a phase, where the videos are few.
        epochs: of a phase at the least.
        rate: factor of the demo's learning rates, whatever the batch.
    """

    embed_dims: int
    depth: int
    num_heads: int
    img_size: int
    patch_size: int
    num_frames: int
    frame_interval: int
    decoder_dims: int
    short_side: int
    batch_size: int
    steps: int
    epochs: int
    rate: float


PRESETS = {
    'tiny': Preset(96, 6, 3, 64, 8, 8, 4, 48, 128, 16, 300, 4, 1.0),
    'small': Preset(384, 12, 6, 112, 16, 16, 4, 192, 160, 32, 2000, 10, 0.5),
    'base': Preset(768, 12, 12, 224, 16, 16, 4, 384, 256, 32, 5000, 50, 0.3),
}
BASE_VIDEOS, BASE_MEMORY = 2000, 38


def this_machine(gpus: int | None = None) -> Machine:
    """This machine, or as many of its GPUs as are wanted."""
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    used = [torch.cuda.get_device_properties(i) for i in range(found)][:gpus]
    if not used:
        return Machine(0, 0.0, count_cores())
    # torch calls bfloat16 supported where it is emulated, too
    native = torch.version.hip or all(gpu.major >= 8 for gpu in used)
    memory = min(gpu.total_memory / 1e9 for gpu in used)
    return Machine(len(used), memory, count_cores(), 'bfloat16' if native else 'float16')


def choose_preset(videos: int, machine: Machine) -> tuple[str, str]:
    """The name of a preset, and why.

    Args:
        videos: their number.
        machine: where it runs.
    """
    if not machine.gpus:
        return 'tiny', f'no GPU, {machine.cores} CPU cores'
    where = f'{machine.gpus} GPU of {machine.memory:.0f} GB'
    if videos < BASE_VIDEOS or machine.memory < BASE_MEMORY:
        return 'small', f'{where}, {videos} videos (base needs {BASE_VIDEOS}, {BASE_MEMORY} GB)'
    return 'base', f'{where}, {videos} videos'


def batch_of(videos: int, largest: int) -> int:
    """Clips of a batch such that few videos are left over in an epoch."""
    steps = -(-videos // min(videos, largest))
    return videos // steps
