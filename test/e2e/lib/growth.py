"""Whether a figure that was sampled grows: the slope of Theil and Sen (the median of the slopes
between all pairs of samples), which neither a peak nor a tooth of a saw moves much."""
import statistics

PAIRS_MAX = 200000


def slope(samples):
    """Per second, of [(second, value)]; 0 of less than two."""
    step = 1
    while (len(samples) // step) ** 2 // 2 > PAIRS_MAX:
        step += 1
    few = samples[::step]
    slopes = [(there - here) / (later - sooner)
              for at, (sooner, here) in enumerate(few) for later, there in few[at + 1:]
              if later > sooner]
    return statistics.median(slopes) if slopes else 0.0


class Growth:
    """Of a series of [(second, value)], by whose slope it grew so much over the time it spans."""

    def __init__(self, samples, least, share):
        tenth = max(1, len(samples) // 10)
        values = [value for _, value in samples]
        self.begin = statistics.median(values[:tenth])
        self.end = statistics.median(values[-tenth:])
        self.per_hour = slope(samples) * 3600
        self.grown = self.per_hour / 3600 * (samples[-1][0] - samples[0][0])
        self.bound = max(least, share * statistics.median(values))

    def is_flat(self):
        return self.grown <= self.bound
