"""Ctrl-C and SIGTERM end the program the way an exception does, so that it can clean up."""

import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(SystemExit):
    """Its code is the one that shells give to what a signal ended."""

    def __init__(self, number):
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


def end_on_signals():
    def end(number, _):
        raise Interrupted(number)

    for number in SIGNALS:
        signal.signal(number, end)


def ignore_signals():
    """For the end, which does not take long."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def undisturbed():
    """Signals wait for the end of this block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
