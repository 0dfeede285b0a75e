#!/usr/bin/env python3
"""Checks how fast allreduce is between hosts, which are network namespaces of this machine.

The yardstick of each round is measured next to it: the payload rate of a bare TCP stream on the
same links. Prints a table in Markdown. The exit code is 0 when all bounds hold, 1 when one does not
or when a run failed, 2 for a mistake in the flags, 3 when there can be no network.
"""

import argparse
import dataclasses
import datetime
import io
import json
import os
import pathlib
import platform
import shlex
import statistics
import sys
import tempfile

from network import PAYLOAD_SHARE, Failure, Network, end_on_signals, parse_rate
from ranks import Ranks
from stream import payload_rates

SECONDS_PER_RUN = 300
GRACE_S = 3
LEAST_SHARE_OF_PAYLOAD = 0.95
# A yardstick that is shorter than this says that processors were the limit, not links.
LEAST_SHARE_OF_LINK = 0.9
QUIET_LOAD = 0.5
# A ring that gives its segments the lengths that suit the links needs 1.33 times, plus the time
# that it takes to fill its pipelines.
MOST_TIMES_EQUAL_LINKS = 1.4


class RunFailed(Exception):
    """rondo-perf found a wrong result, or did not come to its end."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Links, what to run on them, and what has to come out.

    `slow` maps hosts to their share of the full rate. A bound that is None is no bound: its figure
    is reported only.
    """

    name: str
    slow: dict = dataclasses.field(default_factory=dict)
    flags: tuple = ()
    plan: str = ""  # a line of a plan file; the planner chooses where there is none
    least_share_of_payload: float | None = None
    most_times_first: float | None = None  # the time, in times of the first scenario's, each round

    def rates(self, hosts, rate):
        return [round(rate * self.slow.get(host, 1)) for host in range(hosts)]


def scenarios(hosts):
    """The first one is what the others are compared with."""
    return [
        Scenario("equal links", least_share_of_payload=LEAST_SHARE_OF_PAYLOAD),
        Scenario("last host at half rate, equal segments", slow={hosts - 1: 0.5},
                 plan="allreduce .. ring order ranks"),
        Scenario("last host at half rate, as the planner chooses", slow={hosts - 1: 0.5},
                 most_times_first=MOST_TIMES_EQUAL_LINKS),
    ]


def busy_ticks():
    """(busy, all) ticks of all cores since boot."""
    words = pathlib.Path("/proc/stat").read_text().split("\n", maxsplit=1)[0].split()[1:9]
    ticks = [int(word) for word in words]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def run_perf(network, scenario, arguments):
    """The slower side of rondo-perf's report, out of place or in place, on the slowest rank."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {"RONDO_CACHE_DIR": directory}
        if scenario.plan:
            plan = pathlib.Path(directory) / "plan"
            plan.write_text(scenario.plan + "\n")
            environment["RONDO_PLAN_FILE"] = str(plan)
        report = pathlib.Path(directory) / "report.json"
        command = [*shlex.split(arguments.launch),
                   str(arguments.build / "bench" / "rondo-perf"), "allreduce",
                   "-b", arguments.size, "-e", arguments.size, "-w", "2", "-a", "3",
                   "--json", str(report), *scenario.flags]
        output = io.BytesIO()
        ranks = Ranks(network, command, out=output, err=output, more=environment)
        code = ranks.wait(GRACE_S, SECONDS_PER_RUN)
        if code != 0:
            raise RunFailed(f"{shlex.join(command)} ended with code {code}:\n"
                            + output.getvalue().decode(errors="replace"))
        result = json.loads(report.read_text())["results"][0]
    return max(result["out_of_place"], result["in_place"], key=lambda side: side["time_us"])


def measure_round(scenario, arguments):
    hosts = arguments.hosts
    ring = [(host, (host + 1) % hosts) for host in range(hosts)]
    rates = scenario.rates(hosts, arguments.rate)
    with Network(rates, arguments.congestion) as network:
        alone = payload_rates(network, ring[:1])[0]
        together = payload_rates(network, ring)
        busy, total = busy_ticks()
        side = run_perf(network, scenario, arguments)
        busy_after, total_after = busy_ticks()
    bus_rate = side["bus_bw"] * 8e9
    return {
        "link_payload_bps": min(rates[host] for host in ring[0]) * PAYLOAD_SHARE,
        "payload_alone_bps": alone,
        "payload_together_bps": together,
        "time_us": side["time_us"],
        "bus_rate_bps": bus_rate,
        "share_of_payload": bus_rate / alone,
        "cores_busy": (busy_after - busy) / max(total_after - total, 1),
    }


def measure(arguments):
    """The rounds of each scenario, interleaved, so that a busy minute meets all of them."""
    measured = [(scenario, []) for scenario in scenarios(arguments.hosts)]
    for number in range(arguments.rounds):
        for scenario, of_it in measured:
            print(f"round {number + 1} of {arguments.rounds}: {scenario.name}", file=sys.stderr)
            of_it.append(measure_round(scenario, arguments))
    return measured


def judge(scenario, rounds, first_rounds):
    """The medians of a scenario, and which bounds they miss."""
    median = {key: statistics.median(each[key] for each in rounds)
              for key in ("link_payload_bps", "payload_alone_bps", "time_us", "bus_rate_bps",
                          "share_of_payload", "cores_busy")}
    median["slowest_stream_of_ring_bps"] = statistics.median(
        min(each["payload_together_bps"]) for each in rounds)
    times_first = [each["time_us"] / first["time_us"]
                   for each, first in zip(rounds, first_rounds)]
    median["times_first"] = statistics.median(times_first)
    misses = []
    share_of_link = median["payload_alone_bps"] / median["link_payload_bps"]
    if share_of_link < LEAST_SHARE_OF_LINK:
        misses.append(f"no valid measurement: a bare TCP stream got {share_of_link:.0%} of what "
                      "its link carries; the machine is too busy, or too small for such links")
    least, most = scenario.least_share_of_payload, scenario.most_times_first
    if least is not None and median["share_of_payload"] < least:
        misses.append(f"{median['share_of_payload']:.1%} of the payload rate, "
                      f"less than {least:.0%}")
    if most is not None and max(times_first) > most:
        misses.append(f"{max(times_first):.2f} times as long as the first scenario in the same "
                      f"round, more than {most}")
    return {"name": scenario.name, "median": median, "times_first": times_first,
            "misses": misses, "rounds": rounds}


def bound_text(scenario):
    bounds = []
    if scenario.least_share_of_payload is not None:
        bounds.append(f"≥ {scenario.least_share_of_payload:.0%}")
    if scenario.most_times_first is not None:
        bounds.append(f"T/T₁ ≤ {scenario.most_times_first} each round")
    return ", ".join(bounds) or "none"


def markdown(measured, verdicts):
    lines = [
        "| links | one TCP stream | all at once, slowest | allreduce | busbw | of the stream "
        "| T/T₁ | cores busy | bound | |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|---|",
    ]
    for (scenario, rounds), verdict in zip(measured, verdicts):
        median = verdict["median"]
        shares = [each["share_of_payload"] for each in rounds]
        lines.append(
            f"| {scenario.name} | {median['payload_alone_bps'] / 1e6:.1f} Mbit/s "
            f"| {median['slowest_stream_of_ring_bps'] / 1e6:.1f} Mbit/s "
            f"| {median['time_us'] / 1e3:.1f} ms | {median['bus_rate_bps'] / 1e6:.1f} Mbit/s "
            f"| {median['share_of_payload']:.1%} ({min(shares):.1%} to {max(shares):.1%}) "
            f"| {median['times_first']:.2f} ({min(verdict['times_first']):.2f} to "
            f"{max(verdict['times_first']):.2f}) | {median['cores_busy']:.0%} "
            f"| {bound_text(scenario)} | {'missed' if verdict['misses'] else 'ok'} |")
    return "\n".join(lines)


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--rate", default="1gbit", help="of every full link (1gbit)")
    parser.add_argument("--size", default="16M")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--congestion", metavar="NAME",
                        help="TCP's congestion control on the hosts (the machine's)")
    parser.add_argument("--launch", default="", metavar="WORDS",
                        help="in front of each rank's command, such as 'chrt -r 5' or "
                        "'env RONDO_LOCAL_SIZE=4' on a machine that does other things too")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all rounds")
    arguments = parser.parse_args(words)
    if arguments.hosts < 2 or arguments.rounds < 1:
        parser.error("at least 2 hosts and 1 round")
    if not (arguments.build / "bench" / "rondo-perf").exists():
        parser.error(f"{arguments.build}/bench/rondo-perf does not exist: build it, or name the "
                     "folder: --build")
    try:
        arguments.rate = parse_rate(arguments.rate)
    except Failure as failure:
        parser.error(str(failure))
    return arguments


def machine_of(words):
    tcp = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "congestion_control": tcp,
        "load_before": os.getloadavg()[0],
        "command": shlex.join(["bench/hosts/acceptance.py", *words]),
    }


def main(words):
    arguments = arguments_of(words)
    end_on_signals()
    machine = machine_of(words)
    if arguments.congestion:
        machine["congestion_control"] = arguments.congestion
    if machine["load_before"] > QUIET_LOAD:
        print(f"acceptance.py: the machine is busy (load {machine['load_before']:.1f}), and its "
              "hosts share its cores: figures may show what else is running", file=sys.stderr)
    try:
        measured = measure(arguments)
    except Failure as failure:
        print(f"acceptance.py: {failure}", file=sys.stderr)
        return 3
    except RunFailed as failure:
        print(f"acceptance.py: {failure}", file=sys.stderr)
        return 1
    verdicts = [judge(scenario, rounds, measured[0][1]) for scenario, rounds in measured]
    print(f"{machine['date']}, {machine['cores']} cores, Linux {machine['kernel']}, "
          f"{machine['congestion_control']}, load before {machine['load_before']:.1f}: "
          f"`{machine['command']}`, medians of {arguments.rounds} rounds\n")
    print(markdown(measured, verdicts))
    for verdict in verdicts:
        for miss in verdict["misses"]:
            print(f"\n{verdict['name']}: {miss}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps(machine | {"scenarios": verdicts}, indent=1) + "\n")
    return 1 if any(verdict["misses"] for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
