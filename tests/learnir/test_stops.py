"""Requests to stop a training: which are handled, and how often Ctrl-C has to be pressed."""

import signal

import pytest

from learnir.training.stops import stop_requests

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals as POSIX has them")


@pytest.fixture
def usual():
    """``usual(name, action)``: what the signal does around the test; as it was afterwards."""
    before = {}

    def set_to(name, action):
        number = getattr(signal, name)
        before[number] = signal.signal(number, action)
        return number

    yield set_to
    for number, action in before.items():
        signal.signal(number, action)


def test_the_third_ctrl_c_has_its_usual_effect(usual, capsys):
    number = usual("SIGINT", signal.default_int_handler)
    with stop_requests() as received:
        signal.raise_signal(number)
        assert "once more" not in capsys.readouterr().err
        signal.raise_signal(number)
        assert "Ctrl-C once more stops at once" in capsys.readouterr().err
        assert received == [number, number]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_other_requests_may_come_as_often_as_they_like(usual):
    numbers = [usual("SIGTERM", signal.SIG_DFL), usual("SIGHUP", signal.SIG_DFL)]
    with stop_requests() as received:
        for number in 3 * numbers:
            signal.raise_signal(number)
    assert received == 3 * numbers
    assert [signal.getsignal(number) for number in numbers] == 2 * [signal.SIG_DFL]


def test_a_request_that_nohup_ignores_stays_ignored(usual):
    number = usual("SIGHUP", signal.SIG_IGN)
    with stop_requests() as received:
        signal.raise_signal(number)
    assert received == []
    assert signal.getsignal(number) is signal.SIG_IGN
