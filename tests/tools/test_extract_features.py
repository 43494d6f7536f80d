"""tools/extract_features.py: true features, nothing lost when it is interrupted."""

import json
import shutil
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors import safe_open

from pmd_mmaction.datasets import find_videos
from pmd_mmaction.evaluation import feature_files
from pmd_mmaction.evaluation.feature_files import Parts
from pmd_mmaction.readers.video_reader import VideoReader
from pmd_mmaction.storage.atomic_file import write_file
from tests.integration import tiny
from tests.tools.names import ODD_NAMES, prepare_streams
from tools import extract_features
from tools.extract_features import files_of_windows, main


@pytest.fixture(scope='module')
def model(tmp_path_factory, mmaction_scope):
    """A small pre-training config, its weights, and the model."""
    from mmaction.registry import MODELS

    folder = tmp_path_factory.mktemp('model')
    clips = tiny.make_clips(folder / 'clips')
    cfg = tiny.tiny_config(clips, folder)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    network = MODELS.build(cfg.model)
    network.init_weights()
    torch.save(dict(state_dict=network.state_dict()), folder / 'model.pth')
    return folder, clips, network.eval()


@pytest.fixture
def run(model, tmp_path):
    folder, clips, _ = model

    def call(*options, out='f.npz', source=None, checkpoint='model.pth', config='config.py'):
        source = source or ['--list', str(clips / 'train.txt'), '--prefix', str(clips)]
        paths = [str(folder / config), str(folder / checkpoint)]
        rest = ['--out', str(tmp_path / out), '--batch-size', '5', '--num-workers', '0']
        return main([*paths, *source, *rest, *options]), tmp_path / out

    return call


def names(clips):
    return [line.split()[0] for line in (clips / 'train.txt').read_text().splitlines()]


@torch.no_grad()
def by_hand(model, layer=None):
    """Tokens of every clip: decoded and normalised without the pipeline."""
    import decord

    _, clips, network = model
    tokens = []
    for name in names(clips):
        reader = decord.VideoReader(str(clips / name))
        middle = len(reader) // 2 - 2
        frames = reader.get_batch(range(middle, middle + 4)).asnumpy()
        mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
        clip = torch.tensor((frames - mean) / std).float().permute(3, 0, 1, 2)[None]
        if layer is None:
            tokens.append(network.backbone.encode(clip).tokens)
        else:
            tokens.append(list(network.backbone.iter_layers(clip))[layer - 1])
    return torch.cat(tokens).numpy()


def test_pooled_features(model, run):
    code, out = run()
    content = np.load(out)
    assert code == 0
    assert content['names'].tolist() == names(model[1])
    assert content['labels'].tolist() == list(range(12))
    np.testing.assert_allclose(content['features'], by_hand(model).mean(1), atol=1e-4)
    assert not out.with_name('f.npz.parts').exists()


@pytest.mark.parametrize('layer', [None, 1, 3])
def test_features_of_patches(model, run, layer):
    code, out = run('--per-patch', *(['--layer', str(layer)] if layer else []))
    features = np.load(out)['features']
    assert features.shape == (12, 1, tiny.PATCHES, 48) and code == 0
    np.testing.assert_allclose(features[:, 0], by_hand(model, layer), atol=1e-4)


def test_a_layer_pooled(model, run):
    _, out = run('--layer', '2')
    np.testing.assert_allclose(np.load(out)['features'], by_hand(model, 2).mean(1), atol=1e-4)


def test_safetensors(model, run):
    _, plain = run()
    _, out = run(out='f.safetensors')
    with safe_open(out, 'np') as file:
        np.testing.assert_array_equal(file.get_tensor('features'), np.load(plain)['features'])
        assert json.loads(file.metadata()['names']) == names(model[1])


def test_files_on_the_command_line(model, run):
    paths = [str(model[1] / name) for name in names(model[1])[:2]]
    _, out = run(source=['--videos', *paths])
    content = np.load(out)
    assert content['names'].tolist() == paths
    assert content['labels'].tolist() == [-1, -1]


def test_a_folder(model, run):
    _, out = run(source=['--videos', str(model[1])])
    assert np.load(out)['names'].tolist() == [str(path) for path in find_videos(model[1])]


def test_a_recognizer(model, run):
    folder = model[0]
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_probe.py')
    cfg.model.backbone.update(embed_dims=48, depth=3, num_heads=3, **tiny.GRID)
    cfg.model.cls_head.in_channels = 48
    for step in cfg.test_dataloader.dataset.pipeline:
        step.update(
            dict(SampleFrames=dict(clip_len=4), Resize=dict(scale=(32, 32))).get(step.type, {})
        )
    cfg.dump(folder / 'recognizer.py')
    code, out = run('--per-patch', config='recognizer.py', source=None, out='r.npz')
    assert code == 0
    assert np.load(out)['features'].shape == (12, 1, tiny.PATCHES, 48)
    _, pooled = run(config='recognizer.py', out='p.npz')
    tokens = torch.tensor(np.load(out)['features'][:, 0]).mean(1)
    expected = torch.nn.functional.layer_norm(tokens, (48,), eps=1e-6)  # a fresh fc_norm
    np.testing.assert_allclose(np.load(pooled)['features'], expected, atol=1e-4)


# ---------------------------------------------------------------------- interruptions


def test_an_interrupted_run_goes_on(run, monkeypatch, capsys):
    _, whole = run(out='whole.npz')
    add, calls = Parts.add, []

    def stop_at_second(self, *args):
        calls.append(args[0])
        if len(calls) == 2:
            raise KeyboardInterrupt
        add(self, *args)

    monkeypatch.setattr(Parts, 'add', stop_at_second)
    assert run()[0] == 130
    assert 'interrupted; the same command continues' in capsys.readouterr().err
    monkeypatch.setattr(Parts, 'add', lambda self, *args: calls.append(args[0]) or add(self, *args))
    calls.clear()
    code, out = run()
    assert calls == [10, 12], 'the first batch is not computed again'
    assert code == 0
    a, b = np.load(whole), np.load(out)
    assert all(np.array_equal(a[key], b[key]) for key in a.files)


def test_a_half_written_part_does_not_count(run, monkeypatch):
    monkeypatch.setattr(feature_files, 'write_file', _fails_for_notes)
    assert run()[0] == 1
    monkeypatch.undo()
    code, out = run()
    assert code == 0 and len(np.load(out)['features']) == 12


def _fails_for_notes(path, content):
    if path.name.startswith('part_') and path.suffix == '.json':
        raise OSError('disk full')
    write_file(path, content)


@pytest.mark.parametrize('change', [('--per-patch',), ('--layer', '1')])
def test_parts_of_another_extraction_are_refused(run, monkeypatch, capsys, change):
    monkeypatch.setattr(extract_features, 'write_features', _no_space)
    assert run()[0] == 1
    monkeypatch.undo()
    assert run(*change)[0] == 1
    assert 'is of another config, checkpoint, list or option' in capsys.readouterr().err
    assert run()[0] == 0


def test_a_mistake_leaves_nothing_that_would_be_in_the_way(model, run, capsys):
    _, clips, _ = model
    listed = ['--list', str(clips / 'train.txt')]
    code, out = run(source=listed)  # without --prefix
    assert code == 1 and not out.with_name('f.npz.parts').exists()
    assert run(source=[*listed, '--prefix', str(clips)])[0] == 0


def test_a_list_does_not_lead_outside_of_the_prefix(model, run, tmp_path, capsys):
    _, clips, _ = model
    (tmp_path / 'list.txt').write_text(f'../{clips.name}/{names(clips)[0]}\n')
    source = ['--list', str(tmp_path / 'list.txt'), '--prefix', str(clips)]
    code, out = run(source=source)
    assert code == 1 and not out.with_name('f.npz.parts').exists()
    told = capsys.readouterr().err
    assert 'line 1' in told and 'lies outside' in told and '--allow-outside' in told
    assert run('--allow-outside', source=source)[0] == 0


def _no_space(*args):
    raise OSError('no space left')


# ---------------------------------------------------------------------- refusals


@pytest.fixture
def broken(model, tmp_path):
    """A list whose fourth video is no video."""
    (tmp_path / 'bad.mp4').write_text('not a video')
    paths = [str(model[1] / name) for name in names(model[1])[:5]]
    return ['--videos', *paths[:3], str(tmp_path / 'bad.mp4'), *paths[3:]]


def test_a_broken_video_stops_it(run, broken, capsys):
    code, out = run(source=broken)
    assert code == 1 and not out.exists()
    assert 'bad.mp4 cannot be read' in capsys.readouterr().err


def test_a_broken_video_is_left_out_and_told(run, broken, capsys):
    code, out = run('--skip-broken', source=broken)
    assert code == 3
    assert np.load(out)['names'].tolist() == [p for p in broken[1:] if 'bad' not in p]
    assert 'left out: ' in capsys.readouterr().err


@pytest.mark.parametrize('missing', ['inn', 'bad.mp4'])
def test_features_are_not_replaced_by_none(run, broken, tmp_path, capsys, missing):
    code, out = run('--skip-broken', source=broken)
    before = out.read_bytes()
    code, _ = run('--skip-broken', source=['--videos', str(tmp_path / missing)])
    told = capsys.readouterr().err
    assert code == 1 and out.read_bytes() == before
    assert ('there is no video or folder' if missing == 'inn' else 'none of 1 videos') in told
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and 'parts' in path.name]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(out='f.txt'), 'the name must end in one of'),
        (dict(source=['--list', '/nowhere.txt']), 'there is no list file /nowhere.txt'),
        (dict(checkpoint='nowhere.pth'), 'nowhere.pth: check the path'),
    ],
)
def test_bad_options(run, capsys, options, message):
    assert run(**options)[0] == 1
    assert message in capsys.readouterr().err


def test_a_layer_that_does_not_exist(run, capsys):
    assert run('--layer', '4')[0] == 1
    assert '--layer 4: the backbone has layers 1 to 3' in capsys.readouterr().err


def test_half_a_checkpoint(model, run, capsys):
    content = torch.load(model[0] / 'model.pth')
    del content['state_dict']['backbone.blocks.1.attn.q_bias']
    torch.save(content, model[0] / 'half.pth')
    assert run(checkpoint='half.pth')[0] == 1
    assert "missing ['backbone.blocks.1.attn.q_bias']" in capsys.readouterr().err


@pytest.mark.parametrize('content', [b'', b'no checkpoint'])
def test_a_file_that_is_no_checkpoint(model, run, capsys, content):
    (model[0] / 'text.pth').write_bytes(content)
    assert run(checkpoint='text.pth')[0] == 1
    assert capsys.readouterr().err.startswith('extract_features: ')


def test_a_config_without_a_model(model, run, capsys):
    (model[0] / 'empty.py').write_text('model = dict()')
    assert run(config='empty.py')[0] == 1
    assert 'empty.py describes no model with a backbone' in capsys.readouterr().err


def test_videos_and_output_of_any_name(model, run, tmp_path, capsys):
    prepare_streams()
    clips, odd = model[1], tmp_path / "it's odd"
    odd.mkdir()
    wanted = [f'{name}.mp4' for name in ODD_NAMES]
    for new, old in zip(wanted, names(clips)):
        shutil.copy(clips / old, odd / new)
    code, out = run(out=f'{ODD_NAMES[-1]}.npz', source=['--videos', str(odd)])
    assert code == 0 and capsys.readouterr().out.encode()  # printable
    assert sorted(np.load(out)['names'].tolist()) == sorted(str(odd / name) for name in wanted)


# ---------------------------------------------------------------------- windows


@pytest.fixture
def long_video(tmp_path):
    """27 frames at 10 per second, each of one grey level."""
    folder = tmp_path / 'videos' / 'day'
    folder.mkdir(parents=True)
    write_video(folder / 'a.mp4', [number * 9 for number in range(27)])
    write_video(folder / 'short.mkv', [0, 200])
    return folder.parent


def write_video(path, levels):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=10, options=dict(qp='0', g='5'))
        stream.width = stream.height = 32
        stream.pix_fmt = 'yuv444p'
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def levels_of(path):
    """The grey level of each frame, by its number."""
    with VideoReader(str(path)) as video:
        return np.array([video.read([n])[0].mean() for n in range(len(video))])


def windows_of(out, name):
    with safe_open(out / f'{name}.safetensors', 'np') as file:
        return file.get_tensor('features'), file.get_tensor('times')


@torch.no_grad()
def tokens_of(network, levels):
    """Tokens of a clip whose frames have one grey level each."""
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    frames = (np.array(levels)[:, None] - mean) / std
    clip = torch.tensor(frames).float().T[None, :, :, None, None].expand(1, 3, 4, 32, 32)
    return network.backbone.encode(clip).tokens[0].numpy()


@pytest.mark.parametrize('workers', ['0', '2'])
@pytest.mark.parametrize('stride, interval', [(3, 1), (4, 2), (30, 1)])
def test_windows(model, run, long_video, stride, interval, workers):
    code, out = run(
        *('--window', '4', '--stride', str(stride), '--interval', str(interval)),
        *('--num-workers', workers),
        out='windows',
        source=['--videos', str(long_video)],
    )
    assert code == 0
    features, times = windows_of(out, 'day/a.mp4')
    span = 3 * interval + 1
    starts = range(0, 27 - span + 1, stride)
    np.testing.assert_allclose(times, [[s / 10, (s + span) / 10] for s in starts], atol=1e-6)
    levels = levels_of(long_video / 'day/a.mp4')
    assert np.abs(levels - 9 * np.arange(27)).max() < 2  # the colours of the file are YUV
    expected = [tokens_of(model[2], [levels[s + interval * k] for k in range(4)]) for s in starts]
    np.testing.assert_allclose(features, np.mean(expected, 1), atol=1e-4)
    features, times = windows_of(out, 'day/short.mkv')
    np.testing.assert_allclose(times, [[0, 0.2]], atol=1e-6)
    black, grey = levels_of(long_video / 'day/short.mkv')
    expected = tokens_of(model[2], [black, grey, grey, grey]).mean(0)
    np.testing.assert_allclose(features[0], expected, atol=1e-4)


def test_windows_of_patches_and_of_layers(model, run, long_video):
    code, out = run(
        *('--window', '4', '--per-patch', '--layer', '2'),
        out='windows',
        source=['--videos', str(long_video)],
    )
    assert code == 0
    features, times = windows_of(out, 'day/a.mp4')
    assert features.shape == (len(times), tiny.PATCHES, 48) and len(times) == 12


def test_two_processes_share_the_videos(run, long_video, monkeypatch):
    for rank in range(2):
        monkeypatch.setenv('RANK', str(rank))
        monkeypatch.setenv('WORLD_SIZE', '2')
        _, out = run('--window', '4', out='windows', source=['--videos', str(long_video)])
        assert len([*out.rglob('*.safetensors')]) == rank + 1


def test_one_of_several_processes_does_not_end_the_others(run, long_video, monkeypatch, capsys):
    (long_video / 'bad.mp4').write_text('no video')
    monkeypatch.setenv('WORLD_SIZE', '2')
    options = dict(out='windows', source=['--videos', str(long_video)])
    assert run('--window', '4', '--skip-broken', **options)[0] == 0
    assert '1 video(s) left out' in capsys.readouterr().err


def test_processes_share_no_single_file(run, monkeypatch, capsys):
    monkeypatch.setenv('WORLD_SIZE', '2')
    assert run()[0] == 1
    assert 'several processes would write the same file' in capsys.readouterr().err


def test_a_damaged_file_of_windows_is_one_line(run, long_video, capsys):
    command = dict(out='windows', source=['--videos', str(long_video)])
    _, out = run('--window', '4', **command)
    next(out.rglob('*.safetensors')).write_bytes(b'cut off')
    assert run('--window', '4', **command)[0] == 1
    assert capsys.readouterr().err.startswith('extract_features: ')


def test_finished_videos_are_not_read_again(run, long_video, monkeypatch, capsys):
    options = dict(out='windows', source=['--videos', str(long_video)])
    code, out = run('--window', '4', **options)
    first = windows_of(out, 'day/a.mp4')[0]
    (out / 'day' / 'short.mkv.safetensors').unlink()
    video = long_video / 'day' / 'a.mp4'
    video.write_bytes(bytes(video.stat().st_size))
    assert run('--window', '4', **options)[0] == 0
    assert '1 videos written, 1 there' in capsys.readouterr().out
    np.testing.assert_array_equal(windows_of(out, 'day/a.mp4')[0], first)
    assert run('--window', '4', '--stride', '1', **options)[0] == 1
    assert 'is of another video, config, checkpoint or option' in capsys.readouterr().err
    video.write_bytes(b'another of this name')
    assert run('--window', '4', **options)[0] == 1
    assert 'is of another video' in capsys.readouterr().err


def test_a_broken_video_has_no_windows(run, long_video, capsys):
    (long_video / 'bad.mp4').write_text('no video')
    options = dict(out='windows', source=['--videos', str(long_video)])
    assert run('--window', '4', **options)[0] == 1
    assert 'bad.mp4 cannot be read' in capsys.readouterr().err
    code, out = run('--window', '4', '--skip-broken', **options)
    assert code == 3 and len([*out.rglob('*.safetensors')]) == 2


def test_a_window_of_another_length_is_refused(run, long_video, capsys):
    assert run('--window', '16', out='w', source=['--videos', str(long_video)])[0] == 1
    assert '--window 16: the backbone takes 4 frames' in capsys.readouterr().err


def test_two_videos_of_one_name_are_refused(run, long_video, tmp_path, capsys):
    videos = [str(long_video / 'day' / 'a.mp4'), str(tmp_path / 'a.mp4')]
    shutil.copy(*videos)
    assert run('--window', '4', out='w', source=['--videos', *videos])[0] == 1
    assert 'would both be written to' in capsys.readouterr().err


@pytest.mark.parametrize(
    'options, message',
    [
        (['--window', '0'], '--window is 0; it must be at least 1'),
        (['--window', '4', '--stride', '-1'], '--stride is -1; it must be at least 1'),
        (['--batch-size', '0'], '--batch-size is 0; it must be at least 1'),
        (['--stride', '0'], 'give --window'),
    ],
)
def test_senseless_windows_are_refused(run, long_video, capsys, options, message):
    with pytest.raises(SystemExit):
        run(*options, out='w', source=['--videos', str(long_video)])
    assert message in capsys.readouterr().err


def test_windows_stay_below_the_folder_of_results(tmp_path):
    args = SimpleNamespace(out=tmp_path / 'out', prefix='', videos=['../videos/a.mp4'])
    found = files_of_windows(args, ['../videos/a.mp4', '/far/b.mp4', 'c/d.mp4'])
    names = [path.relative_to(args.out).as_posix() for path in found]
    assert names == ['a.mp4.safetensors', 'b.mp4.safetensors', 'c/d.mp4.safetensors']
