"""A difficulty table of the frame under random crops, against loops over patches and cells."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import HOOKS

from tests.functional.test_frame_places import gather_loop, spread_loop
from tests.integration import processes, tiny
from tests.integration.refusals import refused
from tests.integration.test_difficulty import TEACHERS, Record
from tests.integration.test_ranks import train_ranks

GRID = (2, 4, 4)
FLIP = dict(type='Flip', flip_ratio=0.5)


def _noted(pipeline: list, crop: dict | None, *more: dict) -> list:
    """The demo's pipeline with another crop and the box in the data sample."""
    pipeline = [step for step in pipeline if step.type != 'RandomResizedCrop']
    pack = dict(pipeline[-1], meta_keys=('img_shape', 'sample_idx', 'crop_box'))
    crops = [] if crop is None else [crop]
    return [
        *pipeline[:5],
        *crops,
        *pipeline[5:-2],
        *more,
        dict(type='NoteCropBox'),
        pipeline[-2],
        pack,
    ]


def _config(
    clips: Path,
    work_dir: Path,
    *hooks: dict,
    crop=None,
    more=(),
    region='canonical',
    stage_epochs=1,
    **changes,
):
    dare = dict(stage_epochs=stage_epochs, region=region)
    cfg = tiny.tiny_config(clips, work_dir, *hooks, dare=dare, **changes)
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = _noted(dataset.pipeline, crop, *more)
    return cfg


SMALL = dict(type='RandomResizedCrop', area_range=(0.3, 0.6))


@HOOKS.register_module(force=True)
class Boxes(Record):
    """Notes the boxes too."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        self.batches[-1]['boxes'] = [b for s in data_batch['data_samples'] for b in s.crop_box]


def _read(row, box):
    return gather_loop(row, box, GRID)


class Oracle:
    """DARE with a table of the frame, one clip at a time; one phase."""

    def __init__(self):
        self.current = np.zeros((tiny.CLIPS, len(TEACHERS), tiny.PATCHES))
        self.stage = self.current.copy()

    def iteration(self, batch):
        """Expected region loss of each teacher; stores the smoothed losses."""
        losses, new = dict.fromkeys(TEACHERS, 0.0), {}
        copies = len(batch['masked']) // len(batch['videos'])
        for b, masked in enumerate(batch['masked']):
            video = batch['videos'][b // copies]
            box = batch['boxes'][b * len(batch['boxes']) // len(batch['masked'])]
            for k, name in enumerate(TEACHERS):
                last, stage = (_read(x[video, k], box)[masked] for x in (self.current, self.stage))
                smoothed = 0.95 * batch['raw'][name][b] + 0.05 * last
                weights = np.exp(stage / 0.5) * (0 if batch['uniform'] else 1) + batch['uniform']
                losses[name] += weights @ smoothed / weights.sum() / len(batch['masked'])
                row = np.full(tiny.PATCHES, np.nan)
                row[masked] = smoothed
                found = spread_loop(row, self.current[video, k], box, GRID)
                new.setdefault((video, k), []).append(found)
        for cell, rows in new.items():
            mean = np.array(
                [
                    x[~np.isnan(x)].mean() if (~np.isnan(x)).any() else np.nan
                    for x in np.transpose(rows)
                ]
            )
            self.current[cell] = np.where(np.isnan(mean), self.current[cell], mean)
        return losses


@pytest.mark.parametrize(
    'changes',
    [
        dict(stage_epochs=2, epochs=3),  # so a video comes twice in a stage
        dict(more=[FLIP]),
        dict(train_dataloader__dataset__pipeline__3__num_clips=2),
        dict(model__num_masks=2),
    ],
    ids=['stages', 'flips', 'clips', 'masks'],
)
def test_the_table_is_that_of_the_loops(clips, tmp_path, changes):
    one_phase = dict(ratios=(0.5,), epochs=2) | changes
    cfg = _config(clips, tmp_path, dict(type='Boxes'), crop=SMALL, **one_phase)
    stage_epochs = changes.get('stage_epochs', 1)
    run, oracle = tiny.hook_of(tiny.train(cfg), Boxes), Oracle()
    for epoch, table in run.tables.items():
        for batch in (b for b in run.batches if b['epoch'] == epoch):
            assert batch['uniform'] == (epoch < stage_epochs)
            assert batch['loss'] == pytest.approx(oracle.iteration(batch), rel=1e-4), epoch
        np.testing.assert_allclose(table[0], oracle.current, rtol=1e-4, err_msg=f'{epoch}')
        if (epoch + 1) % stage_epochs == 0:
            oracle.stage = oracle.current.copy()
    widths = {float(box[2] - box[0]) for batch in run.batches for box in batch['boxes']}
    assert len(widths) > 5
    assert any(width < 0 for width in widths) == ('more' in changes)


def test_the_whole_frame_trains_to_the_same_bits(clips, tmp_path):
    runs = [
        tiny.train(_config(clips, tmp_path / region, region=region, epochs=2))
        for region in ('patch_index', 'canonical')
    ]
    assert tiny.same(*(dict(run.model.state_dict()) for run in runs))
    tables = [tiny.table_of(run) for run in runs]
    np.testing.assert_array_equal(*tables)
    assert tables[0].any()


def test_crops_make_a_difference(clips, tmp_path):
    one_phase = dict(crop=SMALL, ratios=(0.5,), epochs=2)
    tables = [
        tiny.table_of(tiny.train(_config(clips, tmp_path / region, region=region, **one_phase)))
        for region in ('patch_index', 'canonical')
    ]
    assert (tables[0] != tables[1]).mean() > 0.5


def test_a_resumed_run_has_the_same_table(clips, tmp_path):
    cfg = _config(clips, tmp_path, crop=SMALL, ratios=(0.5,), epochs=3)
    whole = tiny.table_of(tiny.train(cfg))
    resumed = tiny.train(tiny.resumed(cfg, tmp_path / 'epoch_2.pth'))
    np.testing.assert_array_equal(tiny.table_of(resumed), whole)
    cfg.custom_hooks[2].region = 'patch_index'
    again = tiny.resumed(cfg, tmp_path / 'epoch_2.pth')
    refused(again, r"kept with region='canonical'.*resume with DAREHook\(region='canonical'\)")


def test_samples_without_a_box_are_refused(clips, tmp_path):
    cfg = _config(clips, tmp_path)
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape', 'sample_idx')
    refused(cfg, 'have no crop_box, which DARETerm reads: add the transform')


def _train(clips: Path, work_dir: Path, ranks: int) -> None:
    dataset = _config(clips, work_dir, crop=SMALL).train_dataloader.dataset
    changes = dict(train_dataloader__dataset=dataset, custom_hooks__2__region='canonical')
    train_ranks(clips, work_dir, ranks, **changes)


def test_two_ranks_keep_the_table_of_one(clips, tmp_path):
    processes.run(_train, tmp_path / 'one.log', clips, tmp_path / 'one', 1)
    processes.run_ranks(_train, tmp_path / 'two.log', clips, tmp_path / 'two', 2)
    one = tiny.read_checkpoint(tmp_path / 'one' / 'rank_0.pth')['tables']
    for rank in range(2):
        two = tiny.read_checkpoint(tmp_path / 'two' / f'rank_{rank}.pth')['tables']
        for epoch, table in enumerate(one):
            np.testing.assert_allclose(two[epoch], table, rtol=1e-3, atol=1e-6)
    assert one[-1].any()
