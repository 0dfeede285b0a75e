"""What one rank of run.py does: it measures all backends in turns, and rank 0 writes a report.

usage: rank.py SETTINGS RANK, where SETTINGS is a file that run.py wrote
"""

import json
import pathlib
import sys
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import rondo.torch  # noqa: F401  # registers the backend
import shapes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "torch"))
import digits  # noqa: E402

LEAST_CALLS, MOST_CALLS, CALLS_S = 5, 200, 0.05
DIGITS_STEPS = 20
DIGITS_BATCH = 120
ALONE = "alone"  # no backend's name


class Group:
    """The ranks under one backend."""

    def __init__(self, backend):
        self.group = dist.new_group(backend=backend)

    def start(self, tensor):
        return dist.all_reduce(tensor, group=self.group, async_op=True)

    def blocking(self, tensor):
        dist.all_reduce(tensor, group=self.group)

    def asynchronous(self, tensor):
        self.start(tensor).wait()


def slowest(values):
    """Of each value, that of the rank where it is largest."""
    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tensor.tolist()


def seconds_of(action):
    """Of all ranks, which begin together."""
    dist.barrier()
    start = time.perf_counter()
    action()
    return slowest([time.perf_counter() - start])[0]


def result_of(size, times):
    times = sorted(1e6 * each for each in times)
    return {"size": size, "in_place": {"time_us": times[len(times) // 2],
                                       "median_us": times[len(times) // 2],
                                       "p99_us": times[len(times) * 99 // 100]}}


def time_calls(call, tensor):
    """Seconds of single calls, as many as take some time together; all ranks make as many."""
    first = seconds_of(lambda: call(tensor))
    first = min(first, seconds_of(lambda: call(tensor)))
    count = min(MOST_CALLS, max(LEAST_CALLS, int(CALLS_S / first)))
    times = []
    dist.barrier()
    for _ in range(count):
        start = time.perf_counter()
        call(tensor)
        times.append(time.perf_counter() - start)
    tensor.fill_(1)
    return slowest(times)


class Device:
    """Gradients that are computed elsewhere: this thread waits for them."""

    def compute(self, seconds):
        time.sleep(seconds)


class Core:
    """Gradients that this thread computes: so much of the processor's time, whoever interrupts."""

    def __init__(self):
        self.matrix = torch.rand(128, 128)

    def compute(self, seconds):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            torch.mm(self.matrix, self.matrix)


class Replay:
    """The gradients of a model's backward pass, in DDP's buckets."""

    def __init__(self, model):
        self.buckets = [torch.ones(count) for count in shapes.buckets(shapes.load(model))]
        self.bytes = sum(4 * len(bucket) for bucket in self.buckets)

    def communicate(self, group):
        works = [group.start(bucket) for bucket in self.buckets]
        for work in works:
            work.wait()

    def compute(self, place, seconds):
        for bucket in self.buckets:
            place.compute(seconds * 4 * len(bucket) / self.bytes)

    def step(self, group, place, seconds):
        """A bucket goes as soon as it is computed."""
        works = []
        for bucket in self.buckets:
            place.compute(seconds * 4 * len(bucket) / self.bytes)
            works.append(group.start(bucket))
        for work in works:
            work.wait()

    def times_of_buckets(self, group):
        return [result_of(4 * len(bucket), time_calls(group.asynchronous, bucket))
                for bucket in self.buckets]


def replay(model, groups, places, rounds):
    """As long as the slowest backend communicates, the model computes: all could be hidden."""
    model = Replay(model)
    alone = {name: [] for name in groups}
    for name, group in groups.items():  # not counted
        for _ in range(4):
            seconds_of(lambda group=group: model.communicate(group))
    for turn in range(rounds):
        for name in in_turn(groups, turn):
            alone[name].append(seconds_of(lambda: model.communicate(groups[name])))
            for bucket in model.buckets:
                bucket.fill_(1)
    seconds = max(sorted(times)[len(times) // 2] for times in alone.values())
    steps = {}
    for kind, place in places.items():
        steps[kind] = {"compute_s": [seconds_of(lambda: model.compute(place, seconds))
                                     for _ in range(rounds)],
                       "step_s": {name: [] for name in groups}}
        for turn in range(rounds):
            for name in in_turn(groups, turn):
                steps[kind]["step_s"][name].append(
                    seconds_of(lambda: model.step(groups[name], place, seconds)))
                for bucket in model.buckets:
                    bucket.fill_(1)
    return {"buckets": [4 * len(bucket) for bucket in model.buckets], "alone_s": alone,
            "steps": steps,
            "each": {name: model.times_of_buckets(group) for name, group in groups.items()}}


def in_turn(groups, turn):
    names = list(groups)
    return names[turn % len(names):] + names[:turn % len(names)]


def send_nothing(_state, bucket):
    """A communication hook: what DistributedDataParallel does beside its communication remains."""
    done = torch.futures.Future()
    done.set_result(bucket.buffer())
    return done


def train_digits(groups, rounds):
    """Seconds of a step of DistributedDataParallel on the digits, with and without sending."""
    (images, classes), _ = digits.load()
    models = {name: DistributedDataParallel(digits.make_model(), process_group=group.group)
              for name, group in groups.items()}
    models[ALONE] = DistributedDataParallel(digits.make_model())
    models[ALONE].register_comm_hook(None, send_nothing)
    chosen = list(digits.batches(len(images), DIGITS_BATCH, dist.get_rank(), dist.get_world_size(),
                                 epoch=0))

    def steps(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for at in range(DIGITS_STEPS):
            mine = chosen[at % len(chosen)]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[mine]), classes[mine]).backward()
            optimizer.step()

    times = {name: [] for name in models}
    for turn in range(-1, rounds):  # the first one is not counted
        for name in in_turn(models, turn):
            seconds = seconds_of(lambda name=name: steps(models[name])) / DIGITS_STEPS
            times[name] += [seconds] if turn >= 0 else []
    return times


def single_calls(groups, sizes, rounds):
    """{"blocking": {"rondo": [a report of each round], …}, …}"""
    found = {kind: {name: [] for name in groups} for kind in ("blocking", "asynchronous")}
    if not sizes:
        return {}
    for turn in range(rounds):
        for kind, of_kind in found.items():
            for name in in_turn(groups, turn):
                call = getattr(groups[name], kind)
                results = []
                for size in sizes:
                    tensor = torch.ones(max(1, size // 4))
                    results.append(result_of(size, time_calls(call, tensor)))
                of_kind[name].append(results)
    return found


def main(settings, rank):
    torch.set_num_threads(1)
    store = dist.FileStore(settings["store"], settings["ranks"])
    dist.init_process_group("gloo", store=store, rank=rank, world_size=settings["ranks"])
    groups = {name: Group(name) for name in settings["backends"]}
    places = {name: {"device": Device, "core": Core}[name]() for name in settings["compute"]}
    rounds = settings["rounds"]
    report = {
        "torch": torch.__version__,
        "calls": single_calls(groups, settings["sizes"], rounds),
        "models": {model: replay(model, groups, places, rounds) for model in settings["models"]},
        "digits": train_digits(groups, 2 * rounds),
    }
    if rank == 0:
        pathlib.Path(settings["report"]).write_text(json.dumps(report), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        main(json.load(file), int(sys.argv[2]))
