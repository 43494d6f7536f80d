"""Curves and pictures for TensorBoard, where it is installed."""

import weakref

from mmengine.logging import print_log
from mmengine.registry import VISBACKENDS
from mmengine.visualization import TensorboardVisBackend


class _Nowhere:
    """Takes every event of a SummaryWriter and keeps none."""

    def __getattr__(self, name: str):
        return lambda *args, **kwargs: None


@VISBACKENDS.register_module()
class TensorboardIfInstalled(TensorboardVisBackend):
    """MMEngine's ``TensorboardVisBackend``; where TensorBoard is missing, one line in the log.

    A config cannot know what is installed where it runs, so this can stand in every one. The
    events lie beside the text log, in ``<work_dir>/<time>/vis_data``, under the same keys.

    Args:
        save_dir: folder of the events; the visualizer fills it in.
    """

    def _init_env(self) -> None:
        try:
            import torch.utils.tensorboard  # noqa: F401

            super()._init_env()
            # MMEngine closes no backend, and the thread that writes ends with the process.
            weakref.finalize(self, self._tensorboard.close)
        # It is missing, broken by a package that it needs, or cannot write here (a folder whose
        # name is not UTF-8); none is a reason to end a run.
        except Exception as error:
            print_log(
                'No curves for TensorBoard, the text log remains (pip install tensorboard): '
                f'{type(error).__name__}: {error}',
                logger='current',
            )
            self._tensorboard = _Nowhere()
