"""The arithmetic of shared memory, with the numbers of Kinetics-400 on eight GPUs."""

import torch

from pmd_mmaction.runner.shared_memory import SharedMemory, bytes_of

BATCH = 64 * 3 * 16 * 224 * 224
TABLE = 240_000 * 2 * 1568 * 2 * 2


def test_a_node_of_eight_gpus():
    need = SharedMemory(BATCH, prefetch=2, workers=8, ranks=8, table=TABLE)
    assert need.total == 128 * 154_140_672 + 3_010_560_000
    assert str(need) == (
        '8 rank(s) x 8 workers x 2 batches of 0.14 GiB + 2.80 GiB of difficulty table = 21.18 GiB'
    )
    assert need.remedy == (
        'enlarge /dev/shm (docker: --shm-size=24g), lower num_workers or prefetch_factor of '
        'train_dataloader, or give DAREHook a scratch_dir on a local disk'
    )


def test_before_the_first_batch():
    need = SharedMemory(None, prefetch=2, workers=8, ranks=1)
    assert str(need) == '1 rank(s) x 8 workers x 2 batches of unknown size'
    assert 'scratch_dir' not in need.remedy


def test_what_a_batch_weighs():
    clip = torch.zeros(3, 2, dtype=torch.uint8)
    batch = dict(inputs=[clip, clip], data_samples=[object()], more=(torch.zeros(5), 'text'))
    assert bytes_of(batch) == 12 + 20
