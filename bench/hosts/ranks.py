"""The ranks of one job on the hosts of a network."""

import math
import os
import selectors
import signal
import subprocess
import sys
import time

PORT = 29400  # free on every host, since hosts are new
TIMED_OUT = 124


def variables_of(network, rank, per_host, job):
    """What a launcher tells a rank."""
    return {
        "RONDO_RANK": str(rank),
        "RONDO_SIZE": str(network.hosts * per_host),
        "RONDO_LOCAL_RANK": str(rank % per_host),
        "RONDO_LOCAL_SIZE": str(per_host),
        "RONDO_ROOT": f"{network.address(0)}:{PORT}",
        "RONDO_JOB": job,
    }


def exit_code(process):
    """As a shell has it: 128 and its number for a signal."""
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


class Lines:
    """Passes on what a rank writes, in whole lines with the rank in front."""

    def __init__(self, source, target, prefix):
        self._source = source
        self._target = target
        self._prefix = prefix
        self._rest = b""

    def relay(self):
        """False at the end."""
        piece = os.read(self._source.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if not piece and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            self._target.write(self._prefix + line + b"\n")
        self._target.flush()
        return bool(piece)


class Ranks:
    """`per_host` ranks of a command on each host; `more` goes into their environment."""

    def __init__(self, network, command, per_host=1, prefix=True, out=None, err=None, more=None):
        self._job = f"hosts {os.getpid()} {time.monotonic_ns()}"
        self._selector = selectors.DefaultSelector()
        self._processes = []
        pipes = {"stdout": out or sys.stdout.buffer, "stderr": err or sys.stderr.buffer}
        for rank in range(network.hosts * per_host):
            process = network.start(
                rank // per_host, command, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=os.environ | variables_of(network, rank, per_host, self._job)
                | (more or {}))
            self._processes.append(process)
            for name, target in pipes.items():
                source = getattr(process, name)
                text = f"[{rank}] ".encode() if prefix else b""
                self._selector.register(source, selectors.EVENT_READ, Lines(source, target, text))

    def wait(self, grace_s, timeout_s=None):
        """Waits for all ranks, and returns the worst exit code of those that ended by themselves.

        When one fails, the others have `grace_s` to notice and say so; then they are killed. So is
        what ranks have left running when all of them have ended.
        """
        code = 0
        end = math.inf if timeout_s is None else time.monotonic() + timeout_s
        running = list(enumerate(self._processes))
        while (running or self._selector.get_map()) and time.monotonic() < end:
            for key, _ in self._selector.select(timeout=0.02):
                if not key.data.relay():
                    self._selector.unregister(key.fileobj)
            for rank, process in [each for each in running if each[1].poll() is not None]:
                running.remove((rank, process))
                status = exit_code(process)
                if status != 0 and code == 0:
                    print(f"hosts.py: rank {rank} ended with code {status}", file=sys.stderr)
                code = max(code, status)
                if status != 0 or not running:
                    end = min(end, time.monotonic() + grace_s)
        if running and code == 0:
            print(f"hosts.py: no end after {timeout_s} s", file=sys.stderr)
            code = TIMED_OUT
        self.kill()
        return code

    def kill(self):
        """Ends all ranks. What is left of those that have ended goes with the network."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
            process.stderr.close()
        self._selector.close()
