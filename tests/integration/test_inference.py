"""MMAction2's own ways to use a fine-tuned model: API, inferencer, tools/test.py."""

import pickle

import pytest
import torch
from mmaction.apis import MMAction2Inferencer, inference_recognizer, init_recognizer

from tests.integration import tiny
from tests.integration.finetuning import tiny_finetuning
from tools.test import main as evaluate


@pytest.fixture(scope='module')
def model(clips, finished, tmp_path_factory):
    """Config file and best checkpoint of a small fine-tuning."""
    work = tmp_path_factory.mktemp('fine')
    student = tiny.Path(finished[1].work_dir) / 'phase_3_student.pth'
    cfg = tiny_finetuning('pmd/vit-tiny_demo_finetune.py', clips, work, student)
    tiny.train(cfg)
    cfg.dump(work / 'config.py')
    (checkpoint,) = work.glob('best_acc_top1_epoch_*.pth')
    return work / 'config.py', checkpoint


@pytest.fixture(scope='module')
def scores(model, clips):
    """Probabilities of every clip by MMAction2's API."""
    network = init_recognizer(str(model[0]), str(model[1]), device='cpu')
    names = [line.split()[0] for line in (clips / 'train.txt').read_text().splitlines()]
    return {
        name: inference_recognizer(network, str(clips / name)).pred_score.float() for name in names
    }


def test_the_api_gives_probabilities(scores):
    assert len(scores) == tiny.CLIPS
    for score in scores.values():
        assert score.shape == (12,)
        assert score.sum().item() == pytest.approx(1, abs=1e-4)
    assert len({round(score.max().item(), 6) for score in scores.values()}) > 1


def test_the_inferencer_agrees(model, clips, scores, tmp_path):
    labels = tmp_path / 'labels.txt'
    labels.write_text('\n'.join(f'class {i}' for i in range(12)))
    inferencer = MMAction2Inferencer(
        rec=str(model[0]), rec_weights=str(model[1]), device='cpu', label_file=str(labels)
    )
    for name in list(scores)[:3]:
        (found,) = inferencer(str(clips / name))['predictions']
        torch.testing.assert_close(
            torch.tensor(found['rec_scores'][0]), scores[name], atol=1e-5, rtol=1e-4
        )
        assert found['rec_labels'] == [[scores[name].argmax().item()]]


def test_the_test_tool_agrees(model, clips, scores, tmp_path, monkeypatch):
    dumped = tmp_path / 'results.pkl'
    monkeypatch.chdir(tmp_path)
    evaluate([str(model[0]), str(model[1]), '--work-dir', str(tmp_path), '--dump', str(dumped)])
    results = pickle.loads(dumped.read_bytes())
    assert len(results) == len(scores)
    for result, score in zip(results, scores.values()):
        torch.testing.assert_close(result['pred_score'].float(), score, atol=1e-5, rtol=1e-4)
