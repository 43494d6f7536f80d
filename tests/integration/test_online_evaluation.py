"""kNN and probe in the validation of a pre-training: right, harmless, the same on two ranks."""

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from pmd_mmaction.evaluation import (
    FrozenFeatureMetric,
    fit_linear_probe,
    knn_scores,
    topk_accuracy,
)
from tests.integration import processes, tiny


@pytest.fixture(scope='module')
def validated(clips, tmp_path_factory):
    """The run of the fixture `finished`, with a validation after every second epoch."""
    cfg = tiny.tiny_config(clips, tmp_path_factory.mktemp('validated'), dict(type='Watch'))
    tiny.validate_frozen(cfg, clips, interval=2)
    return tiny.train(cfg), cfg


def logged(work_dir: str) -> list[dict]:
    (path,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_log_has_it(validated):
    lines = [x for x in logged(validated[1].work_dir) if 'knn/top1' in x]
    assert [x['step'] for x in lines] == [2, 4, 6, 8, 9]
    for name in ('knn/top1', 'knn/top5', 'probe/top1', 'probe/top5'):
        assert all(0 <= line[name] <= 1 for line in lines)


def test_the_number_is_that_of_the_features(validated, clips):
    """Features of mode='tensor', classified by hand."""
    runner, cfg = validated
    parts = []
    model = runner.model.eval()
    for dataset in cfg.val_dataloader.dataset.datasets:
        loader = Runner.build_dataloader(dict(cfg.val_dataloader, dataset=dataset))
        features, labels = [], []
        with torch.no_grad():
            for batch in loader:
                labels += [int(sample.gt_label) for sample in batch['data_samples']]
                data = model.data_preprocessor(batch, training=False)
                features.append(model(**data, mode='tensor'))
        parts += [torch.cat(features), torch.tensor(labels)]
    bank, bank_labels, query, query_labels = parts
    scores = knn_scores(bank, bank_labels, query, 3)
    scores[scores == 0] = -math.inf  # without a vote a class is not among the best five
    expected = topk_accuracy(scores, query_labels)
    last = [x for x in logged(cfg.work_dir) if 'knn/top1' in x][-1]
    assert last['knn/top1'] == pytest.approx(expected['top1'])
    assert last['knn/top5'] == pytest.approx(expected['top5'])
    weight, bias = fit_linear_probe(bank, bank_labels)
    right = (query @ weight.T + bias).argmax(1) == query_labels
    assert last['probe/top1'] == pytest.approx(right.double().mean().item())


def test_training_does_not_notice(finished, validated):
    without, with_it = (
        tiny.read_checkpoint(Path(cfg.work_dir) / 'epoch_9.pth') for _, cfg in (finished, validated)
    )
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert tiny.same(without[part], with_it[part])
    assert (tiny.table_of(finished[0]) == tiny.table_of(validated[0])).all()


@pytest.mark.parametrize('from_the_start', [True, False])
def test_a_resumed_run_is_bit_equal(clips, validated, tmp_path, from_the_start):
    """Also one that is watched only from then on, as docs/kinetics.md says."""
    cfg = tiny.tiny_config(clips, tmp_path, dict(type='StopAfter', epoch=4))
    if from_the_start:
        tiny.validate_frozen(cfg, clips, interval=2)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    cfg.custom_hooks.pop()
    if not from_the_start:
        tiny.validate_frozen(cfg, clips, interval=2)
    runner = tiny.train(tiny.resumed(cfg))
    assert tiny.same(tiny.snapshot(runner.model), tiny.snapshot(validated[0].model.train()))


def _validate(clips: Path, work_dir: Path) -> None:
    """Validates once an untrained model; 13 + 12 clips are no multiple of two ranks' batches."""
    cfg = tiny.tiny_config(clips, work_dir, launcher='pytorch' if _ranks() > 1 else 'none')
    tiny.validate_frozen(cfg, clips, interval=1, train='odd.txt')
    results = []
    compute = FrozenFeatureMetric.compute_metrics
    FrozenFeatureMetric.compute_metrics = lambda self, x: results.append(x) or compute(self, x)
    metrics = tiny.build(cfg).val()
    if results:  # the main process
        torch.save(dict(metrics=metrics, results=results[0]), work_dir / 'report.pth')


def _ranks() -> int:
    import os

    return int(os.environ.get('WORLD_SIZE', 1))


def test_two_ranks_measure_the_same(clips, tmp_path):
    odd = (clips / 'train.txt').read_text().splitlines()
    odd.append(odd[0])
    (clips / 'odd.txt').write_text('\n'.join(odd))
    reports = []
    for ranks in (1, 2):
        work = tmp_path / str(ranks)
        work.mkdir()
        processes.run_ranks(_validate, work / 'log', clips, work, ranks=ranks)
        reports.append(tiny.read_checkpoint(work / 'report.pth'))
    one, two = reports
    assert one['metrics'] == two['metrics']
    assert {name.split('/')[0] for name in one['metrics']} == {'knn', 'probe'}
    assert len(one['results']) == len(two['results']) == 25
    for a, b in zip(one['results'], two['results']):
        assert (a['label'], a['split']) == (b['label'], b['split'])
        torch.testing.assert_close(a['feature'], b['feature'])
