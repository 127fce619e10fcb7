"""Work side by side: in order, one thread each, stopped at once; and room for pictures."""

import os
import threading
import time
from concurrent.futures import wait
from contextlib import closing

import pytest
import torch

from learnir import strips
from learnir.side_by_side import Room, default_workers, side_by_side


def results(found):
    return [(item, result()) for item, result in found]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_item_in_order(workers):
    def work(item):
        time.sleep(0.02 * (item % 3 == 0))  # some take longer
        return item**2

    assert results(side_by_side(work, range(9), workers)) == [(n, n * n) for n in range(9)]


def test_they_really_work_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)
    list(results(side_by_side(lambda _: meeting.wait(), range(3), 3)))


def test_what_one_raises_is_raised_for_it_alone():
    found = dict(side_by_side(lambda n: 6 // n, [3, 0, 2], 2))
    assert found[3]() == 2
    with pytest.raises(ZeroDivisionError):
        found[0]()
    assert found[2]() == 3


def test_each_computes_with_one_thread_and_the_process_with_its_own_again():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = results(
            side_by_side(lambda _: (torch.get_num_threads(), strips.THREADS.get()), range(4), 2)
        )
        assert [threads for _, threads in seen] == [(1, 1)] * 4
        assert torch.get_num_threads() == 2
        assert strips.THREADS.get() > 1 or os.cpu_count() == 1
        alone = results(side_by_side(lambda _: torch.get_num_threads(), range(1), 2))
        assert alone == [(0, 2)]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2])
def test_closing_begins_nothing_more(workers):
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.05)

    found = side_by_side(work, range(100), workers)
    with closing(found):
        next(found)[1]()
    count = len(begun)
    assert count < 10
    time.sleep(0.2)
    assert len(begun) == count


def test_a_second_interrupt_does_not_leave_threads_behind(monkeypatch):
    """They would run on while the interpreter ends, which aborts the process within PyTorch."""
    ended, waited = [], []

    def work(item):
        time.sleep(0.1)
        ended.append(item)

    def impatient(futures):
        waited.append(len(futures))
        if len(waited) < 3:
            raise KeyboardInterrupt
        return wait(futures)

    monkeypatch.setattr("learnir.side_by_side.wait", impatient)
    with closing(side_by_side(work, range(50), 2)) as found:
        next(found)
    assert len(waited) == 3
    count = len(ended)
    assert 2 <= count <= 4
    time.sleep(0.3)
    assert len(ended) == count


def test_there_is_a_worker_for_every_core():
    assert 1 <= default_workers() <= 8


def test_room_is_never_overdrawn_and_a_large_one_is_alone():
    room, inside, most, alone = Room(10), [], [], []

    def work(pixels):
        with room.reserve(pixels):
            inside.append(pixels)
            now = sum(min(p, 10) for p in inside)
            most.append(now)
            if pixels >= 10:
                alone.append(len(inside) == 1)
            time.sleep(0.005)
            inside.remove(pixels)

    results(side_by_side(work, [4, 5, 25, 4, 3, 3, 10, 2, 9, 1, 1, 1, 25], 6))
    assert max(most) <= 10
    assert alone == [True] * 3
    assert room.left == 10


def test_small_ones_do_not_overtake_a_large_one_for_ever():
    room, order, waiting = Room(10), [], threading.Event()
    held = room.reserve(5)
    held.__enter__()

    def take(name, pixels):
        if name == "small":
            waiting.wait(5)
            time.sleep(0.05)
        else:
            waiting.set()
        with room.reserve(pixels):
            order.append(name)

    threads = [threading.Thread(target=take, args=a) for a in (("large", 10), ("small", 1))]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert order == []  # there is room for the small one, whose turn it is not
    held.__exit__(None, None, None)
    for thread in threads:
        thread.join(5)
    assert order == ["large", "small"]
