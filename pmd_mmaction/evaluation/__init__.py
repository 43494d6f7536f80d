"""Evaluation of frozen features."""

from pmd_mmaction.evaluation.features import choose_pipeline, compute_features, load_frozen
from pmd_mmaction.evaluation.frozen_feature_metric import FrozenFeatureMetric, topk_accuracy
from pmd_mmaction.evaluation.knn import KNNMetric, knn_scores
from pmd_mmaction.evaluation.linear_probe import first_of_each_class, fit_linear_probe
from pmd_mmaction.evaluation.linear_probe_metric import LinearProbeMetric

__all__ = [
    'FrozenFeatureMetric',
    'KNNMetric',
    'LinearProbeMetric',
    'choose_pipeline',
    'compute_features',
    'first_of_each_class',
    'fit_linear_probe',
    'knn_scores',
    'load_frozen',
    'topk_accuracy',
]
