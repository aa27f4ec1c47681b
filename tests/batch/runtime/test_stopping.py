from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from batch.runtime.stopping import stop_on_signals

BEGIN = "import signal, sys\nfrom batch.runtime.stopping import stop_on_signals\nwith stop_on_signals() as stop:\n"


def run(*lines: str) -> subprocess.CompletedProcess[str]:
    """Run lines inside `stop_on_signals` in a process of their own."""
    script = BEGIN + "".join(f"    {line}\n" for line in lines)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop(number, capfd):
    """Ctrl-C and SIGTERM set the event, say what happens now, and interrupt nothing."""
    with stop_on_signals() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
    assert "in flight is finished" in capfd.readouterr().err


def test_without_a_signal_nothing_is_said(capfd):
    """Whoever is not interrupted hears nothing."""
    with stop_on_signals() as stop:
        pass
    assert not stop.is_set()
    assert capfd.readouterr() == ("", "")


class OopsError(Exception):
    """Something in the middle."""


def fail_inside():
    with stop_on_signals():
        raise OopsError


@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_signals_do_what_they_did_before(fails):
    """After the block, however it ended, Ctrl-C interrupts again as in any program."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    if fails:
        with pytest.raises(OopsError):
            fail_inside()
    else:
        with stop_on_signals():
            pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_ctrl_c_ends_at_once():
    """The second Ctrl-C ends the process there and then, with exit code 130 and a sentence."""
    ended = run("signal.raise_signal(signal.SIGINT)", "signal.raise_signal(signal.SIGINT)", "print('went on')")
    assert (ended.returncode, ended.stdout) == (130, "")
    assert "Ctrl-C again ends at once" in ended.stderr
    assert "same command goes on" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ctrl_c_after_sigterm_ends_at_once():
    """Whoever does not want to wait for a stop that the system asked for can end it with one Ctrl-C."""
    ended = run("signal.raise_signal(signal.SIGTERM)", "signal.raise_signal(signal.SIGINT)", "print('went on')")
    assert (ended.returncode, ended.stdout) == (130, "")


def test_sigterm_never_ends_at_once():
    """A system that sends SIGTERM again and again does not cut off what is in flight."""
    ended = run(*["signal.raise_signal(signal.SIGTERM)"] * 3, "print('went on', stop.is_set())")
    assert (ended.returncode, ended.stdout) == (0, "went on True\n")
