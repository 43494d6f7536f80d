"""Bases of a config by the name of this package, ``pmd_mmaction::pmd/vit-b_k400_pretrain.py``."""

from __future__ import annotations

from mmengine.config.utils import MODULE2PACKAGE

from pmd_mmaction.compat.repair import Repair


def name_is_refused() -> bool:
    """Whether MMEngine reads such bases only from the packages that it has a list of."""
    return 'pmd_mmaction' not in MODULE2PACKAGE


def add_name() -> None:
    """Puts this package on the list."""
    MODULE2PACKAGE['pmd_mmaction'] = 'pmd-mmaction'


REPAIRS = (
    Repair(
        'package-bases',
        'mmengine reads bases `package::config` from the packages of a fixed list only',
        name_is_refused,
        add_name,
    ),
)
