"""What stands for measuring programs in tests of bench/compare."""

import json

FOREVER = "sleep 100000"


def report_of(times_us, ranks=2):
    """As rondo-perf writes it, for sizes and their times."""
    return {"config": {"library": "a library", "ranks": ranks},
            "results": [{"size": size, "in_place": None,
                         "out_of_place": {"time_us": time, "median_us": time, "p99_us": time}}
                        for size, time in times_us.items()]}


# A shell script of a rank whose report goes to the file $1.
GOOD = f"echo '{json.dumps(report_of({4: 1, 64 << 20: 5}))}' >$1"
