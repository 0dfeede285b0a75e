"""What the measured times say: medians, ratios, the bound of the memory, tables and charts."""

import html
import statistics
import subprocess

# rondo-perf lets consecutive calls rotate through 1000 buffers, or 64 MiB a side: from here on
# every call finds its buffers in memory, and not in a cache.
BOUND_FROM = 64 << 10


def traffic_of(panel, size):
    """Bytes that must come from or go to memory: each input read once, each output written once.

    Size is that of the longer buffer of a rank.
    """
    ranks = panel.ranks
    if panel.collective == "allreduce":
        return 2 * ranks * size
    if panel.collective == "broadcast":
        # The root's is read, the others' are written.
        return ranks * size
    # One buffer holds a block for each rank, and the other one block.
    return ranks * size if panel.in_place else (ranks + 1) * size


def bound_us(panel, size, traffic_gbps):
    """No call takes less time, where buffers come from memory. None where nothing is known."""
    if not traffic_gbps or size < BOUND_FROM:
        return None
    return traffic_of(panel, size) / traffic_gbps / 1e3


def short_size(size):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def short_time(time_us):
    digits = 0 if time_us >= 1000 else 1 if time_us >= 10 else 2
    return f"{time_us:,.{digits}f}"


def short_ratio(ratio):
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


class Times:
    """All rounds of one panel, and why a contestant has none."""

    def __init__(self, panel, names):
        self.panel = panel
        self.names = names
        self.rounds = {name: {} for name in names}  # name -> size -> a list of results
        self.absent = {}  # name -> (word, reason)
        self.traffic_gbps = []

    def add(self, name, report):
        for result in report["results"]:
            # Blocks are rounded down to 16 bytes: the smallest sizes may have no bytes at all.
            if result["size"] > 0:
                side = result[self.panel.side()]
                self.rounds[name].setdefault(result["size"], []).append(side)

    def drop(self, name, word, reason):
        """What it had so far does not count: its rounds are not those of the others."""
        self.absent[name] = (word, reason)
        self.rounds[name] = {}

    def sizes(self):
        return sorted({size for rounds in self.rounds.values() for size in rounds})

    def median(self, name, size):
        rounds = self.rounds[name].get(size)
        return statistics.median(each["time_us"] for each in rounds) if rounds else None

    def ratio(self, name, size):
        """How many times as long as the first contestant it takes."""
        own, first = self.median(name, size), self.median(self.names[0], size)
        return own / first if own and first else None

    def bound(self, size):
        traffic = statistics.median(self.traffic_gbps) if self.traffic_gbps else None
        return bound_us(self.panel, size, traffic)

    def efficiency(self, name, size):
        """The share of what memory can do: the bound over the time."""
        bound, time = self.bound(size), self.median(name, size)
        return bound / time if bound and time else None


def cell(times, name, size):
    median = times.median(name, size)
    if median is None:
        return times.absent[name][0] if name in times.absent else "not measured"
    text = short_time(median)
    ratio = times.ratio(name, size)
    if name != times.names[0] and ratio is not None:
        text += f" ({short_ratio(ratio)})"
    return text


def row(cells):
    return "| " + " | ".join(cells) + " |"


def head(names):
    return [row(names), "|---:" * len(names) + "|"]


def markdown(times):
    """A table of one panel, and below it what is to be known about it."""
    bound_too = ["memory bound"] if times.traffic_gbps else []
    lines = head(["size", *times.names, *bound_too])
    for size in times.sizes():
        bound = times.bound(size)
        cells = [short_size(size), *(cell(times, name, size) for name in times.names)]
        lines.append(row(cells + ([short_time(bound) if bound else ""] if bound_too else [])))
    for name, (word, reason) in times.absent.items():
        lines.append(f"\n{name} {'is ' if word == 'missing' else ''}{word}: {reason}.")
    lines += efficiencies(times)
    return "\n".join(lines)


def efficiencies(times):
    """Of the largest size: it is the one that caches help least."""
    if not times.sizes() or times.bound(times.sizes()[-1]) is None:
        return []
    size = times.sizes()[-1]
    shares = [f"{name} {times.efficiency(name, size):.2f}" for name in times.names
              if times.efficiency(name, size)]
    return [f"\nMemory carries {statistics.median(times.traffic_gbps):.1f} GB/s with "
            f"{times.panel.ranks} processes at once. Share of the bound that is reached at "
            f"{short_size(size)}: {', '.join(shares)}."]


def chart_lines(times, subtitle):
    """What compare-chart draws."""
    panel = times.panel
    lines = [f"title {html.escape(panel.title())}", f"subtitle {html.escape(subtitle)}"]
    for name in times.names:
        points = [(size, times.median(name, size)) for size in times.sizes()]
        points = [f"point {size} {time}" for size, time in points if time]
        lines += [f"series {html.escape(name)}", *points] if points else []
    bounds = [(size, times.bound(size)) for size in times.sizes()]
    bounds = [f"point {size} {time}" for size, time in bounds if time]
    if bounds:
        lines += ["bound memory bound", *bounds]
    return "\n".join(lines) + "\n"


def write_chart(program, times, subtitle, folder):
    """Drawn by compare-chart, where there is more than one point."""
    if len(times.sizes()) < 2:
        return
    drawn = subprocess.run([str(program)], text=True, input=chart_lines(times, subtitle),
                           capture_output=True, check=True)
    name = times.panel.collective.replace(" ", "_")
    (folder / f"{name}_{times.panel.ranks}.svg").write_text(drawn.stdout)


def as_json(times):
    return {
        "collective": times.panel.collective,
        "ranks": times.panel.ranks,
        "side": times.panel.side(),
        "traffic_gbps": times.traffic_gbps,
        "absent": {name: {"state": word, "reason": reason}
                   for name, (word, reason) in times.absent.items()},
        "results": [
            {"library": name, "size": size, "median_us": times.median(name, size),
             "best_us": min(each["time_us"] for each in rounds),
             "ratio": times.ratio(name, size), "bound_us": times.bound(size),
             "efficiency": times.efficiency(name, size),
             "rounds_us": [each["time_us"] for each in rounds],
             "rounds_p50_us": [each["median_us"] for each in rounds],
             "rounds_p99_us": [each["p99_us"] for each in rounds]}
            for name, of_name in times.rounds.items() for size, rounds in of_name.items()
        ],
    }
