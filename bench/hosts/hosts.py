#!/usr/bin/env python3
"""Runs one rank of a command on each of several hosts: network namespaces of this machine.

Their links have the rates that you give. The ranks get what `rondo run` would tell them
(RONDO_RANK, RONDO_SIZE, RONDO_ROOT …), their output gets the rank in front, and when one fails all
are ended. Needs root and the package iproute2. The exit code is the worst of the ranks', 124 after
--timeout, 2 for a mistake in the flags, 3 when there can be no network. Nothing is left behind.
"""

import argparse
import sys

from network import MOST_HOSTS, Failure, Network, end_on_signals, parse_rate
from ranks import Ranks
from stream import payload_rates

EXAMPLES = """examples:
  sudo bench/hosts/hosts.py --hosts 4 --rate 1gbit -- \\
      build/release/bench/rondo-perf allreduce -b 16M -e 16M
  sudo bench/hosts/hosts.py --hosts 4 --rate 1gbit --slow 3=500mbit -- …
"""


def rates_of(hosts, rate, slow):
    """The rate of each host's link."""
    rates = [parse_rate(rate)] * hosts
    for text in slow:
        host, equals, its_rate = text.partition("=")
        if not equals or not host.isdigit() or int(host) >= hosts:
            raise Failure(f"--slow {text}: expected HOST=RATE with a host from 0 to {hosts - 1}, "
                          "such as 3=500mbit")
        rates[int(host)] = parse_rate(its_rate)
    return rates


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=4, metavar="N", help="how many (4)")
    parser.add_argument("--rate", default="1gbit",
                        help="of every link, in both directions: 100mbit, 1gbit … (1gbit)")
    parser.add_argument("--slow", action="append", default=[], metavar="HOST=RATE",
                        help="another rate for the link of one host; may be repeated")
    parser.add_argument("--ranks-per-host", type=int, default=1, metavar="K", help="(1)")
    parser.add_argument("--congestion", metavar="NAME",
                        help="TCP's congestion control on the hosts (the machine's)")
    parser.add_argument("--grace", type=float, default=3, metavar="SECONDS",
                        help="that the others have to end after one rank has failed (3)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for all of it (none)")
    parser.add_argument("--payload", action="store_true",
                        help="first measure what bare TCP streams get from each host to the next")
    parser.add_argument("--no-prefix", action="store_true", help="lines without the rank in front")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what each rank runs, after --")
    arguments = parser.parse_args(words)
    if arguments.command[:1] == ["--"]:
        del arguments.command[0]
    if not arguments.command:
        parser.error("no command: put it after the flags, behind --")
    if arguments.ranks_per_host < 1:
        parser.error("--ranks-per-host: expected at least 1")
    if not 1 <= arguments.hosts <= MOST_HOSTS:
        parser.error(f"--hosts: expected a number from 1 to {MOST_HOSTS}")
    if arguments.payload and arguments.hosts < 2:
        parser.error("--payload: a stream needs at least 2 hosts")
    try:
        arguments.rates = rates_of(arguments.hosts, arguments.rate, arguments.slow)
    except Failure as failure:
        parser.error(str(failure))
    return arguments


def show_payload(network):
    """What bare TCP streams get from each host to the next: the yardstick of what follows."""
    ring = [(host, (host + 1) % network.hosts) for host in range(network.hosts)]
    for what, pairs in (("one stream", ring[:1]), ("all at once", ring)):
        rates = payload_rates(network, pairs)
        texts = [f"{source}→{target} {rate / 1e6:.1f}" for (source, target), rate in
                 zip(pairs, rates)]
        print(f"hosts.py: payload in Mbit/s, {what}: {', '.join(texts)}", file=sys.stderr)


def main(words):
    arguments = arguments_of(words)
    end_on_signals()
    try:
        with Network(arguments.rates, arguments.congestion) as network:
            if arguments.payload:
                show_payload(network)
            ranks = Ranks(network, arguments.command, arguments.ranks_per_host,
                          prefix=not arguments.no_prefix)
            return ranks.wait(arguments.grace, arguments.timeout)
    except Failure as failure:
        print(f"hosts.py: {failure}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
