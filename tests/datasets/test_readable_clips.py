from pmd_mmaction.datasets import ReadableClips


def fail_for_b(results):
    if results['filename'] == 'b':
        raise RuntimeError('broken\nin many words')
    return dict(inputs=results['filename'])


def test_a_broken_video_gives_the_reason():
    clips = ReadableClips(['a', 'b', 'c'], [fail_for_b])
    assert [clips[i] for i in range(len(clips))] == [
        dict(inputs='a'),
        'RuntimeError: broken',
        dict(inputs='c'),
    ]
