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


def await_end(processes, seconds, until_failure=False):
    """Waits without waking up in between, since the processes measure themselves.

    Returns those still running after that time or, if asked for, once one of them has failed.
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
        while running and not (until_failure and any(each.returncode for each in processes)):
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


def end_all(processes):
    """Lets launchers clean up what they made, and then leaves nothing running."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    await_end(processes, GRACE_S)
    kill_descendants()
    for process in processes:
        process.poll()


def complaint_of(number, process, said):
    words = said.read_text(errors="replace").strip()
    if len(words) > MOST_COMPLAINT:
        words = "… " + words[-MOST_COMPLAINT:]
    return f"process {number} ended with code {process.returncode}: {words or 'without a word'}"


def run_to_end(commands, directory, seconds):
    """Runs commands, each a pair of words and environment, at the same time.

    Raises Failed when one of them fails, or when they take too long. Either way no process is left,
    and what they put into the directory for temporary files is in `directory`.
    """
    started = []  # with the file that has what the process said
    complaints = []
    try:
        for number, (words, environment) in enumerate(commands):
            said = pathlib.Path(directory) / f"stderr.{number}"
            with said.open("wb") as file:
                started.append((said, subprocess.Popen(
                    words, env=os.environ | {"TMPDIR": str(directory)} | environment,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file)))
        running = await_end([process for _, process in started], seconds, until_failure=True)
        if running and not any(process.returncode for _, process in started):
            complaints.append(f"no end after {seconds:.0f} s")
        else:
            await_end(running, GRACE_S)  # the others say what they have seen, too
            complaints += [complaint_of(number, process, said)
                           for number, (said, process) in enumerate(started) if process.returncode]
    finally:
        end_all([process for _, process in started])
    if complaints:
        raise Failed("; ".join(complaints))
