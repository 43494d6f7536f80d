"""The example of docs/features.md gives what MMAction2's temporal localization reads."""

import re
from pathlib import Path

import numpy as np
from mmaction.registry import TRANSFORMS
from safetensors.numpy import save_file

PAGE = Path(__file__).parents[1] / 'docs' / 'features.md'


def test_windows_become_features_of_bmn(tmp_path, monkeypatch, mmaction_scope):
    monkeypatch.chdir(tmp_path)
    times = np.array([[k, k + 2] for k in range(9)], np.float32)
    ramp = times.mean(1, keepdims=True) * np.array([[1.0, -2.0]], np.float32)
    Path('windows').mkdir()
    save_file(dict(features=ramp, times=times), 'windows/a.mp4.safetensors')
    (example,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    exec(example, {})
    load = TRANSFORMS.build(dict(type='LoadLocalizationFeature'))
    feature = load(dict(feature_path='a.csv'))['raw_feature']
    assert feature.shape == (2, 100)
    # A feature that grows with time still does, up to the middles of the first and last windows.
    places = np.clip((np.arange(100) + 0.5) / 10, 1, 9)
    np.testing.assert_allclose(feature, [places, -2 * places], rtol=1e-5)
