"""Waiting for what a daemon comes to by itself."""
import time


def wait_for(function, words, wait_s=60, step_s=0.02):
    """What function gives as soon as that is true; after so long an AssertionError with words."""
    end = time.monotonic() + wait_s
    while not (found := function()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {wait_s} s: {words}")
        time.sleep(step_s)
    return found
