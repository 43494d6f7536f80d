"""What is left of a run whose phases cost differently."""

from bisect import bisect_left
from collections.abc import Sequence


class Pace:
    """Operations of the iterations of a run, and the time that those to come will take.

    A later phase masks more and has an auxiliary teacher, so its iterations take another time than
    those that were measured: as much more or less as they have operations.

    Args:
        ends: iterations of the run at the end of each phase, rising.
        gflops: of a clip in an iteration of each phase; None where they are not known: all
            phases then cost the same.

    Example:
        >>> pace = Pace(ends=[100, 200], gflops=[4.0, 2.0])
        >>> pace.seconds_left(90, 1.0)
        (10.0, 60.0)
    """

    def __init__(self, ends: Sequence[int], gflops: Sequence[float] | None = None) -> None:
        self.ends = list(ends)
        self.gflops = None if gflops is None else list(gflops)

    def phase(self, done: int) -> int:
        """Phase of the last of ``done`` iterations, from 0."""
        return min(bisect_left(self.ends, done), len(self.ends) - 1)

    def gflops_per_second(self, done: int, clips: int, seconds: float) -> float | None:
        """Rate at which this device works.

        Args:
            done: iterations made.
            clips: of one iteration on this device.
            seconds: of one iteration.
        """
        if self.gflops is None:
            return None
        return self.gflops[self.phase(done)] * clips / seconds

    def seconds_left(self, done: int, seconds: float) -> tuple[float, float]:
        """Seconds to the end of the phase, and of the run.

        Args:
            done: iterations made.
            seconds: of one iteration of the current phase.
        """
        now = self.phase(done)
        lengths = [self.ends[now] - done]
        lengths += [end - begin for begin, end in zip(self.ends[now:], self.ends[now + 1 :])]
        costs = self.gflops or [1.0] * len(self.ends)
        left = [seconds * n * (cost / costs[now]) for n, cost in zip(lengths, costs[now:])]
        return left[0], sum(left)
