"""Data sets inside wrappers."""


def plain_datasets(dataset) -> list:
    """The data sets that have a pipeline, inside wrappers and concatenations."""
    if hasattr(dataset, 'pipeline'):
        return [dataset]
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [plain for part in inner if part is not None for plain in plain_datasets(part)]
