"""What figures were measured on, and when."""

import datetime
import os
import pathlib
import platform
import shlex

QUIET_LOAD = 0.5


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine_of(words, place):
    """Before the measurement that the words of a command ask for."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": len(place.cores),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 1),
        "command": shlex.join(words),
    }


def afterwards(machine):
    return machine | {"load_after": round(os.getloadavg()[0], 1)}


def about(machine):
    """In a line, afterwards."""
    return (f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux "
            f"{machine['kernel']}, load {machine['load_before']} before and "
            f"{machine['load_after']} after")


def below_title(machine, rounds):
    """What a chart says of it."""
    return (f"{machine['cores']} cores of {machine['processor']}, medians of {rounds} rounds, "
            f"load {machine['load_before']}")
