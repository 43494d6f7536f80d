"""Data sets inside wrappers."""


def with_wrappers(dataset) -> list:
    """The data set, and all inside it if it is a wrapper or a concatenation, outside first."""
    if hasattr(dataset, 'pipeline'):
        return [dataset]
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [
        dataset,
        *(found for part in inner if part is not None for found in with_wrappers(part)),
    ]


def plain_datasets(dataset) -> list:
    """The data sets that have a pipeline, inside wrappers and concatenations."""
    return [found for found in with_wrappers(dataset) if hasattr(found, 'pipeline')]


def step_names(dataset) -> list[str]:
    """Class names of the steps of a data set's pipeline."""
    return [type(step).__name__ for step in dataset.pipeline.transforms]
