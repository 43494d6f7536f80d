"""The fingerprint of a training set, which ties a difficulty table to it."""

from pmd_mmaction.contracts import ListedFiles
from pmd_mmaction.dare import dataset_fingerprint


def data_fingerprint(dataset) -> dict:
    """Digest of the data set's file names.

    Raises:
        ValueError: for wrappers in which ``sample_idx`` is ambiguous.
    """
    prefix = dict(getattr(dataset, 'data_prefix', None) or {})
    root = next(iter(prefix.values()), None) or None
    if isinstance(dataset, ListedFiles):
        return dataset_fingerprint(dataset.file_names(), root)
    names: list[str] = []
    by_index: dict[int, str] = {}
    for i in range(len(dataset)):
        info = dataset.get_data_info(i) if hasattr(dataset, 'get_data_info') else {}
        names.append(info.get('filename') or info.get('frame_dir') or str(i))
        if by_index.setdefault(info.get('sample_idx', -1), names[-1]) != names[-1]:
            raise ValueError(
                f'DARE needs one data set whose sample_idx counts its videos, not a '
                f'{type(dataset).__name__}, in which indices of different parts collide: merge '
                'the list files into one'
            )
    return dataset_fingerprint(names, root)
