#!/usr/bin/python3
"""The checker of histories (lib/history.py) finds each kind of mistake, and none in a good one."""
import struct
import unittest

from history import (ANSWERED, ASKED, GAPS, KEYS, REFUSED, SENDERS_OF_KEY, UNKNOWN, WRONG, Books,
                     Checker, is_quiet)

UNNAMED, NAMED = KEYS, 0  # Two senders of chronicle/0.


def books(total, following, counts, gaps=(), **heads):
    """The books of chronicle/0 in bytes, and read from them; following and counts by sender."""
    def of_senders(values):
        return [values.get(at * KEYS, 0) for at in range(SENDERS_OF_KEY)]
    head = {"late": 0, "broken": 0, "misfired": 0, "refused": 0, "gaps": len(gaps), "lost": 0,
            "set": 0, "cancelled": 0, "fired": 0, **heads}
    data = Books.HEAD.pack(total, *head.values()) + bytes(8 * (3 * KEYS + 1))
    data += struct.pack(f"<{2 * SENDERS_OF_KEY}I", *of_senders(following), *of_senders(counts))
    data += b"".join(struct.pack("<III", *gap) for gap in gaps)
    return Books(data.ljust(len(data) + 12 * (GAPS - len(gaps)), b"\0"))


def answered(sender, number, total):
    return [(ASKED, sender, number, 0, 0), (ANSWERED, sender, number, 0, total)]


GOOD = answered(UNNAMED, 0, 1) + answered(UNNAMED, 1, 2)


class Finds(unittest.TestCase):
    def judge(self, events, *args, **heads):
        checker = Checker(2 * KEYS)
        checker.take(events)
        checker.compare(0, books(*args, **heads))
        return checker.wrong

    def finds(self, what, events, *args, **heads):
        wrong = self.judge(events, *args, **heads)
        self.assertTrue(wrong and wrong[0].startswith(what), wrong)

    def test_nothing_in_a_good_history(self):
        self.assertEqual(self.judge(GOOD, 2, {UNNAMED: 2}, {UNNAMED: 2}), [])

    def test_nothing_in_an_unknown_end_either_way(self):
        events = GOOD + [(ASKED, UNNAMED, 2, 0, 0), (UNKNOWN, UNNAMED, 2, -14, 0)]
        self.assertEqual(self.judge(events, 2, {UNNAMED: 2}, {UNNAMED: 2}), [])
        self.assertEqual(self.judge(events, 3, {UNNAMED: 3}, {UNNAMED: 3}), [])
        events += answered(UNNAMED, 3, 3)
        self.assertEqual(self.judge(events, 3, {UNNAMED: 4}, {UNNAMED: 3}, [(UNNAMED, 2, 3)]), [])

    def test_what_was_acknowledged_and_is_lost(self):
        self.finds("lost", GOOD, 1, {UNNAMED: 1}, {UNNAMED: 1})
        self.finds("lost", GOOD + answered(UNNAMED, 2, 3), 3, {UNNAMED: 3}, {UNNAMED: 3},
                   [(UNNAMED, 1, 2)])

    def test_what_is_doubled(self):
        self.finds("doubled", GOOD, 3, {UNNAMED: 2}, {UNNAMED: 3})
        both = [(ASKED, UNNAMED, 0, 0, 0), (ASKED, NAMED, 0, 0, 0),
                (ANSWERED, UNNAMED, 0, 0, 1), (ANSWERED, NAMED, 0, 0, 1)]
        self.finds("doubled", both, 2,
                   {UNNAMED: 1, NAMED: 1}, {UNNAMED: 1, NAMED: 1})
        self.finds("doubled", GOOD, 2, {UNNAMED: 2}, {UNNAMED: 2}, misfired=1)

    def test_what_is_reordered(self):
        self.finds("reordered", GOOD, 2, {UNNAMED: 2}, {UNNAMED: 2}, late=1)
        self.finds("reordered", answered(UNNAMED, 0, 2) + answered(UNNAMED, 1, 1), 2,
                   {UNNAMED: 2}, {UNNAMED: 2})
        self.finds("lost, doubled or reordered", GOOD, 2, {UNNAMED: 2}, {UNNAMED: 2}, broken=1)

    def test_what_is_mismatched(self):
        self.finds("mismatched", [(ASKED, UNNAMED, 0, 0, 0), (WRONG, UNNAMED, 0, 0, 7)], 0, {}, {})
        self.finds("mismatched", answered(NAMED, 0, 1) + answered(NAMED, 0, 2), 1,
                   {NAMED: 1}, {NAMED: 1})

    def test_what_was_refused_and_is_there(self):
        events = [(ASKED, UNNAMED, 0, 0, 0), (REFUSED, UNNAMED, 0, 8, 0)]
        self.finds("made up", events, 1, {UNNAMED: 1}, {UNNAMED: 1})
        self.finds("made up", GOOD, 3, {UNNAMED: 3}, {UNNAMED: 3})

    def test_an_unknown_end_that_comes_after_the_books_closed_on_it(self):
        checker = Checker(2 * KEYS)
        checker.take(GOOD + [(ASKED, UNNAMED, 2, 0, 0), (UNKNOWN, UNNAMED, 2, 0, 0)])
        checker.compare(0, books(2, {UNNAMED: 2}, {UNNAMED: 2}))
        checker.take(answered(UNNAMED, 3, 3))
        checker.compare(0, books(3, {UNNAMED: 4}, {UNNAMED: 3}, [(UNNAMED, 2, 3)]))
        self.assertEqual(checker.wrong, [])
        checker.compare(0, books(4, {UNNAMED: 4}, {UNNAMED: 4}))
        self.assertTrue(checker.wrong)

    def test_instances_are_quiet_when_all_has_arrived(self):
        good = [books(0, {}, {}) for _ in range(KEYS)]
        self.assertTrue(is_quiet(good))
        good[3] = books(0, {}, {}, set=1)
        self.assertFalse(is_quiet(good))


if __name__ == "__main__":
    unittest.main()
