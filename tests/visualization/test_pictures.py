import json
from types import SimpleNamespace

import matplotlib
import numpy as np
import torch

from pmd_mmaction.visualization import (
    mask_rows,
    plot_curves,
    plot_difficulty,
    plot_masks,
    read_scalars,
)
from pmd_mmaction.visualization.masks import GREY
from pmd_mmaction.visualization.patches import upsample_patches

matplotlib.use('Agg')
GRID = (2, 2, 2)


def clip():
    return np.random.default_rng(0).integers(0, 100, (4, 8, 8, 3), dtype=np.uint8)


def images(axis):
    return [image.get_array() for image in axis.get_images()]


def test_a_patch_covers_its_own_pixels_only():
    values = np.zeros(8)
    values[5] = 1  # time 1, row 0, column 1
    covered = upsample_patches(values, GRID, (4, 8, 8))
    assert covered.sum() == 2 * 4 * 4
    assert covered[2:, :4, 4:].all()


def test_masked_patches_are_grey_and_visible_ones_untouched():
    mask = np.zeros(8, bool)
    mask[3] = True  # time 0, row 1, column 1
    figure = plot_masks(clip(), dict(phase=mask), GRID)
    picture = images(figure.axes[2])[0]  # second row, first time step
    assert (picture[4:, 4:] == GREY).all()
    assert np.array_equal(picture[:4], clip()[0][:4])


def test_each_phase_has_rows_of_its_own_for_each_view():
    """With several masks a wider view differs from phase to phase."""
    view = dict(student=SimpleNamespace(visible=torch.tensor([[0], [1]])))
    view['wide'] = SimpleNamespace(visible=torch.tensor([[0, 1], [1, 2]]))
    rows = {}
    for title in ('phase 1', 'phase 2'):
        rows |= mask_rows(view, 2, 4, title, decoded=False)
    assert list(rows)[:4] == [f'phase 1{n}' for n in ('', '\nmask 2', '\nwide', '\nwide\nmask 2')]
    assert len(rows) == 8
    assert rows['phase 2\nwide\nmask 2'].tolist() == [True, False, False, True]


def test_difficulty_has_a_column_per_teacher():
    values = dict(img=np.arange(8.0), vid=np.ones(8))
    figure = plot_difficulty([clip()], [values], GRID)
    heat = images(figure.axes[1])[1]
    assert heat[0, 0] == 4 and heat[-1, -1] == 7  # the middle frame is of time step 1


def test_later_logs_win_and_phases_are_marked(tmp_path):
    first, second = tmp_path / 'a.json', tmp_path / 'b.json'
    first.write_text(
        '\n'.join(
            json.dumps(dict(step=s, iter=s, loss_base_img=s, mask_ratio=0.75, lr=1.0))
            for s in (1, 2)
        )
    )
    second.write_text(json.dumps(dict(step=2, iter=2, loss_base_img=20, mask_ratio=0.8, lr=0.5)))
    with second.open('a') as file:
        file.write('\n{"step": 3, "loss_ba')  # cut off by a crash
    scalars = read_scalars([first, second])
    assert scalars['loss_base_img'] == {1: 1, 2: 20}
    axis = plot_curves(scalars, ['img']).axes[0]
    assert axis.get_title() == 'base (x lambda)'
    assert [line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1] == [1]


def test_curves_of_any_teachers_and_terms():
    curve = {1: 0.5, 2: 0.25}
    keys = ('loss_base_img', 'loss_base_deep_video', 'loss_al_img', 'loss_pixel', 'loss', 'lr')
    axes = plot_curves(dict.fromkeys(keys, curve), ['img', 'deep_video']).axes
    titles = [axis.get_title() for axis in axes]
    assert titles == ['base (x lambda)', 'clfa (x lambda)', 'pixel (x lambda)', 'learning rate']
    labels = [[line.get_label() for line in axis.lines] for axis in axes[:2]]
    assert labels == [['img teacher', 'deep_video teacher'], ['img teacher']]
    assert [len(axis.lines) for axis in axes] == [2, 1, 1, 1]
    assert axes[2].get_legend() is None
