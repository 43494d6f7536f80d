"""Where the difficulty tables of a tiny training lie."""

from pathlib import Path

from mmengine.config import Config


def table_path(cfg: Config, epoch: int = 3) -> Path:
    """The table of an epoch's checkpoint, of a run with three iterations per epoch."""
    return Path(cfg.work_dir) / f'difficulty_epoch_{epoch}_iter_{3 * epoch}.table'
