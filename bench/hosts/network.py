"""Hosts that are network namespaces of this machine, joined by a switch with links of known rates.

Each host is a namespace with one interface, a veth pair whose other end is a port of a bridge. The
bridge has a namespace of its own, so that nothing appears in the one that the machine itself uses,
and nothing of its settings (packet filters, addresses in use) matters. A token bucket filter at
both ends of each pair gives a link its rate in both directions.

Namespaces are named after the process that owns them, by pid and start time. A process that was
killed leaves them behind; whoever builds the next network removes what has no owner any more.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

PREFIX = "rondo-hosts-"
SUBNET = "10.77"
MOST_HOSTS = 250
# What a frame of 1500 bytes carries: 20 bytes of it are IP, 20 TCP, 12 its timestamps. tc counts
# the frame with the 14 bytes of its Ethernet header.
PAYLOAD_SHARE = 1448 / 1514
# The kernel hands TCP's data to a link in pieces of up to 64 KiB, 68 KiB with the headers of the
# frames that they stand for. A bucket that holds one lets it pass whole; a smaller one has it cut
# into frames first, which takes a timer for almost every frame.
BURST_BYTES = 128 << 10
# What a port holds of frames that it cannot send yet.
QUEUE_MS = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CLONE_NEWUTS = 0x04000000
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """Something that the user can do something about."""


def parse_rate(text):
    """Bits a second of a text such as 500mbit, 1gbit, 2.5gbit."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(kbit|mbit|gbit)", text)
    rate = float(found[1]) * {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}[found[2]] if found else 0
    if rate < 1e5:
        raise Failure(f"{text}: expected a rate of at least 100kbit, such as 500mbit or 1gbit")
    return round(rate)


def run_tool(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(words)}` failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


def start_time(pid):
    """When a process started, in the kernel's ticks since boot; None where there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything, also parentheses.
    return int(stat.rpartition(")")[2].split()[19])


def own_prefix():
    return f"{PREFIX}{os.getpid()}-{start_time(os.getpid())}-"


def namespaces():
    """All that this program has made, of whatever run."""
    names = [line.split()[0] for line in run_tool("ip", "netns", "list").splitlines() if line]
    return [name for name in names if name.startswith(PREFIX)]


def is_owned(name):
    """Whether the run that made a namespace still runs. A pid alone may be somebody else by now."""
    found = re.match(rf"{PREFIX}(\d+)-(\d+)-", name)
    return found is not None and start_time(found[1]) == int(found[2])


def end_processes(name):
    """Kills all that run in a namespace, also what its ranks started."""
    deadline = time.monotonic() + 10
    while pids := run_tool("ip", "netns", "pids", name).split():
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has ended by itself
        if time.monotonic() > deadline:
            raise Failure(f"processes {' '.join(pids)} of namespace {name} cannot be killed")
        time.sleep(0.01)


def remove(names):
    """Removes namespaces with all that runs in them. What cannot be removed stops no other."""
    troubles = []
    for name in names:
        try:
            end_processes(name)
            run_tool("ip", "netns", "delete", name)
        except Failure as trouble:
            # Two runs that start together find the same orphans.
            if name in namespaces():
                troubles.append(str(trouble))
    if troubles:
        raise Failure("; ".join(troubles))


def remove_orphans():
    """Removes what runs that were killed have left behind; returns the names."""
    orphans = [name for name in namespaces() if not is_owned(name)]
    remove(orphans)
    return orphans


def unavailable():
    """Why this machine lets us make no network, or None."""
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            return f"there is no `{tool}`: install the package iproute2"
    if os.geteuid() != 0:
        return "network namespaces need root: try again with sudo"
    name = own_prefix() + "probe"
    try:
        run_tool("ip", "netns", "add", name)
    except Failure as trouble:
        return f"this machine allows no network namespaces: {trouble}"
    try:
        run_tool("ip", "-n", name, "link", "add", "probe0", "type", "veth",
                 "peer", "name", "probe1")
        run_tool("ip", "-n", name, "link", "add", "probe2", "type", "bridge")
        run_tool("tc", "-n", name, "qdisc", "add", "dev", "probe0", "root", *bucket(10**9))
    except Failure as trouble:
        return f"this machine allows no links of a given rate: {trouble}"
    finally:
        remove([name])
    return None


def bucket(rate):
    # Timers are late now and then; a bucket of a millisecond makes up for it also on a fast link.
    burst = max(BURST_BYTES, rate // 8 // 1000)
    limit = burst + rate // 8 * QUEUE_MS // 1000
    return ["tbf", "rate", f"{rate}bit", "burst", f"{burst}b", "limit", f"{limit}b"]


class Network:
    """Hosts with a link of rates[i] bits a second for host i. Use it in a `with` statement."""

    def __init__(self, rates, congestion=None):
        if not 1 <= len(rates) <= MOST_HOSTS:
            raise Failure(f"{len(rates)} hosts: from 1 to {MOST_HOSTS} can be made")
        allowed = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text()
        if congestion and congestion not in allowed.split():
            raise Failure(f"--congestion {congestion}: this machine allows its namespaces "
                          f"{', '.join(allowed.split())}; sysctl "
                          "net.ipv4.tcp_allowed_congestion_control says which")
        self.rates = list(rates)
        self.congestion = congestion
        self._prefix = own_prefix()

    @property
    def hosts(self):
        return len(self.rates)

    @staticmethod
    def address(host):
        return f"{SUBNET}.0.{host + 1}"

    def namespace(self, host):
        return f"{self._prefix}{host}"

    def __enter__(self):
        if reason := unavailable():
            raise Failure(reason)
        if orphans := remove_orphans():
            print("removed what a killed run had left behind:", *orphans, file=sys.stderr)
        try:
            self._build()
        except BaseException:
            self._take_down()
            raise
        return self

    def __exit__(self, *_):
        self._take_down()

    def _build(self):
        switch = self._prefix + "switch"
        run_tool("ip", "netns", "add", switch)
        run_tool("ip", "-n", switch, "link", "add", "bridge", "type", "bridge",
                 "mcast_snooping", "0")
        run_tool("ip", "-n", switch, "link", "set", "bridge", "up")
        for host, rate in enumerate(self.rates):
            self._add_host(host, rate, switch)

    def _add_host(self, host, rate, switch):
        name = self.namespace(host)
        port = f"port{host}"
        run_tool("ip", "netns", "add", name)
        run_tool("ip", "-n", name, "link", "add", "eth0", "type", "veth",
                 "peer", "name", port, "netns", switch)
        run_tool("ip", "-n", name, "address", "add", f"{self.address(host)}/16", "dev", "eth0")
        run_tool("tc", "-n", name, "qdisc", "add", "dev", "eth0", "root", *bucket(rate))
        run_tool("tc", "-n", switch, "qdisc", "add", "dev", port, "root", *bucket(rate))
        run_tool("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
        for interface in ("lo", "eth0"):
            run_tool("ip", "-n", name, "link", "set", interface, "up")
        if self.congestion:
            run_tool("ip", "netns", "exec", name, "sysctl", "-qw",
                     f"net.ipv4.tcp_congestion_control={self.congestion}")

    def _take_down(self):
        # An impatient second Ctrl-C must not leave half of it standing.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
        try:
            remove(name for name in namespaces() if name.startswith(self._prefix))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self, host, command, **more):
        """A process on a host, which has a name of its own. It does not outlive this process."""
        libc = ctypes.CDLL(None, use_errno=True)

        def settle():
            if libc.unshare(CLONE_NEWUTS) != 0 or libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            socket.sethostname(f"host{host}")

        return subprocess.Popen(["ip", "netns", "exec", self.namespace(host), *command],
                                preexec_fn=settle, start_new_session=True, **more)


def end_on_signals():
    """Makes signals end the program the way an exception does, so that networks are taken down."""
    def end(number, _):
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, end)
