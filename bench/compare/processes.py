"""Runs the processes of one contestant to their end, and leaves none behind."""

import contextlib
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import time

GRACE_S = 5
PR_SET_CHILD_SUBREAPER = 36
MOST_COMPLAINT = 600  # characters of what a process said


class Failed(Exception):
    """What went wrong, without the name of the contestant."""


def adopt_orphans():
    """What a launcher leaves behind becomes a child of this process, and can be found."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parents():
    """The parent of each process that there is."""
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                found[int(folder.name)] = int(fields[1])
    return found


def descendants():
    """All processes below this one."""
    parent_of = parents()
    found = []
    wanted = {os.getpid()}
    while wanted:
        wanted = {pid for pid, parent in parent_of.items() if parent in wanted}
        found += wanted
    return found


def kill_descendants():
    """Returns when there are none, which new ones cannot outrun: their parents are dead."""
    while found := descendants():
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def await_end(processes, seconds):
    """Waits without waking up in between, since the processes measure themselves.

    Returns those still running after that time, or once one of them has failed.
    """
    end = time.monotonic() + seconds
    poll = select.poll()
    running = {}
    for process in processes:
        if process.poll() is None:
            handle = os.pidfd_open(process.pid)
            poll.register(handle, select.POLLIN)
            running[handle] = process
    try:
        while running and not any(process.returncode for process in processes):
            left = end - time.monotonic()
            if left <= 0:
                break
            for handle, _ in poll.poll(left * 1000):
                running[handle].wait()
                poll.unregister(handle)
                os.close(handle)
                del running[handle]
    finally:
        for handle in running:
            os.close(handle)
    return list(running.values())


def complaint_of(number, process, said):
    words = said.read_text(errors="replace").strip()
    if len(words) > MOST_COMPLAINT:
        words = "… " + words[-MOST_COMPLAINT:]
    return f"process {number} ended with code {process.returncode}: {words or 'without a word'}"


def run_to_end(commands, directory, seconds):
    """Runs commands, each a pair of words and environment, at the same time.

    Raises Failed when one of them fails, or when they take too long. Either way no process is left.
    """
    processes = []
    files = []
    try:
        for number, (words, environment) in enumerate(commands):
            files.append(pathlib.Path(directory) / f"stderr.{number}")
            with files[-1].open("wb") as said:
                processes.append(subprocess.Popen(
                    words, env=os.environ | environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=said))
        running = await_end(processes, seconds)
        is_late = len(running) > 0 and not any(process.returncode for process in processes)
        # The others say what they have seen, too.
        if running and not is_late:
            running = await_end(running, GRACE_S)
        complaints = [complaint_of(number, process, said)
                      for number, (process, said) in enumerate(zip(processes, files))
                      if process.returncode]
        if is_late:
            complaints.append(f"no end after {seconds:.0f} s")
        # Launchers clean up what they made.
        for process in running:
            process.terminate()
        await_end(running, GRACE_S)
    finally:
        kill_descendants()
        for process in processes:
            process.poll()
    if complaints:
        raise Failed("; ".join(complaints))
