#!/usr/bin/env python3
"""Says whether allreduces on one device come near to what its memory allows.

usage: bound.py PERCENT MEASURED REPORT...
  PERCENT   of the direct bound, which must be reached
  MEASURED  the table that measure_device printed on the same device
  REPORT    what rondo-perf allreduce --json wrote

The bound of n bytes by P ranks is the time in which the device copies so much that 2*P*n bytes are
read and written, at the rate of its largest copy. The largest size of a report counts, out of place
or in place, whichever is faster. The exit code is 1 where one does not reach it.
"""

import json
import pathlib
import re
import sys

COPY = re.compile(r"^copy, device to device +(\d+) +([\d.]+) +[\d.]+$", re.MULTILINE)


def copy_rate(table):
    """Bytes that the largest copy reads and writes in a microsecond."""
    copies = [(int(size), float(time)) for size, time in COPY.findall(table)]
    if not copies:
        raise ValueError("the table has no line 'copy, device to device'")
    size, time = max(copies)
    return 2 * size / time


def times_of(row):
    """The microseconds of each side that was measured, by its name."""
    sides = {name: row[name] for name in ("out_of_place", "in_place") if row[name]}
    if any(side.get("nwrong") for side in sides.values()):
        raise ValueError("there are wrong results")
    return {name: side["time_us"] for name, side in sides.items()}


def share_of(report, rate):
    """How much of the bound was reached, in percent, and a line about it."""
    row = max(report["results"], key=lambda each: each["size"])
    ranks = report["config"]["ranks"]
    bound = 2 * ranks * row["size"] / rate
    shares = {name: 100 * bound / time for name, time in times_of(row).items()}
    told = ", ".join(f"{name.replace('_', ' ')} {share:.1f} %" for name, share in shares.items())
    return max(shares.values()), f"{ranks} ranks, {row['size']} bytes: {told} of {bound:.2f} us"


def main(percent, measured, *reports):
    rate = copy_rate(pathlib.Path(measured).read_text())
    print(f"copies read and write {rate / 1000:.1f} GB/s")
    least = None
    for path in reports:
        share, line = share_of(json.loads(pathlib.Path(path).read_text()), rate)
        print(line)
        least = share if least is None else min(least, share)
    reached = least >= float(percent)
    print(f"at least {least:.1f} % of the direct bound: {percent} % "
          f"{'are' if reached else 'are NOT'} reached")
    return 0 if reached else 1


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"bound.py: {error}")
