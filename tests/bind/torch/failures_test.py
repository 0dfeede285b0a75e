#!/usr/bin/env python3
"""What goes wrong: every rank gets an exception that says so, and nothing hangs or leaks."""

import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time

import torch
import torch.distributed as dist

import ranks as world

SHORT = datetime.timedelta(seconds=3)


def killed(store_path, rank, size, is_async):
    """A rank that dies is named, by all calls that follow as well."""
    world.join(store_path, rank, size)
    tensor = torch.ones(1000)
    dist.all_reduce(tensor)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with world.raises("lost rank 1", dist.DistBackendError):
        while True:
            work = dist.all_reduce(tensor, async_op=is_async)
            if is_async:
                work.get_future().wait()
    with world.raises("lost rank 1", dist.DistBackendError):
        dist.barrier()
    dist.destroy_process_group()


def killed_while_receiving(store_path, rank, size):
    world.join(store_path, rank, size)
    tensor = torch.ones(3)
    dist.barrier()
    if rank == 1:
        dist.send(tensor, 0)
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 0:
        dist.recv(tensor, 1)
        with world.raises("rank 1", dist.DistBackendError):
            dist.recv(tensor, 1)
    dist.destroy_process_group()


def killed_in_subgroup(store_path, rank, size):
    """The text has the rank's number in the world."""
    world.join(store_path, rank, size)
    group = dist.new_group([1, 2])
    tensor = torch.ones(3)
    if rank > 0:
        dist.all_reduce(tensor, group=group)
    if rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1:
        with world.raises(r"global rank 2", dist.DistBackendError):
            while True:
                dist.all_reduce(tensor, group=group)


def stopped(store_path, rank, size):
    """A rank that stands still is named when the time of a call is over."""
    world.join(store_path, rank, size)
    tensor = torch.ones(3)
    dist.all_reduce(tensor)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    group = dist.distributed_c10d._get_default_group()
    options = dist.AllreduceOptions()
    options.timeout = SHORT
    with world.raises("rank 1", dist.DistBackendError):
        group.allreduce([tensor], options).wait()
    with world.raises("timed out after 3000 ms, waiting for rank 1", dist.DistBackendError):
        group.recv([tensor], 1, 0).wait(SHORT)
    dist.destroy_process_group()


def stays_away(store_path, rank, size):
    """Futures end as well, and who waits for less than the time of a call learns what is known."""
    world.join(store_path, rank, size)
    tensor = torch.ones(3)
    group = dist.new_group([0, 1], timeout=datetime.timedelta(seconds=10))
    store = dist.distributed_c10d._get_default_store()
    if rank == 1:
        store.wait(["is over"], world.LONG)
        for value in (1.0, 2.0):
            dist.send(torch.full((3,), 4 + value), 0, group, int(value))
        store.wait(["has come"], world.LONG)
        return
    for work in (dist.irecv(tensor, 1, group, 1), dist.irecv(torch.ones(3), group=group)):
        with world.raises("recv.* timed out after 10000 ms.*rank 0 of 2 in group",
                          dist.DistBackendError):
            work.get_future().wait()
        assert work.is_completed()
    store.set("is over", "yes")
    # What comes late is not given to those who have gone, and does no harm to others.
    later = torch.zeros(3)
    dist.recv(later, 1, group, 2)
    assert later.tolist() == [6.0] * 3 and tensor.tolist() == [1.0] * 3, (later, tensor)
    options = dist.AllreduceOptions()
    options.timeout = world.LONG
    options.asyncOp = True
    work = dist.distributed_c10d._get_default_group().allreduce([tensor], options)
    with world.raises("all_reduce: timed out after 100 ms; rondo, rank 0 of 2 in group .*, call 1; "
                      "which ranks are waited for is not known before .* deadline of 60000 ms",
                      dist.DistBackendError):
        work.wait(datetime.timedelta(milliseconds=100))
    store.set("has come", "yes")
    dist.distributed_c10d._abort_process_group()


def wrong_message(store_path, rank, size):
    world.join(store_path, rank, size)
    if rank == 0:
        dist.send(torch.ones(3), 1)
    else:
        with world.raises("sent 12 bytes"):
            dist.recv(torch.ones(4), 0)
    dist.destroy_process_group()


def missing(store_path, rank, size):
    if rank == 1:
        return
    with world.raises("rank 1 has not come", dist.DistBackendError):
        world.join(store_path, rank, size, timeout=SHORT)


def monitored(store_path, rank, size):
    """Rank 0 names those that do not come. PyTorch lets gloo's name through only."""
    world.join(store_path, rank, size)
    backend = dist.distributed_c10d._get_default_group()._get_backend(torch.device("cpu"))
    backend.monitored_barrier(datetime.timedelta(seconds=30), wait_all_ranks=True)
    if rank != 1:
        with world.raises("Ranks? 1" if rank == 0 else "reached monitoredBarrier"):
            backend.monitored_barrier(SHORT, wait_all_ranks=True)
    dist.barrier()
    dist.destroy_process_group()


def work_without_end(rank):
    return [dist.all_reduce(torch.ones(5), async_op=True), dist.irecv(torch.ones(5), 1 - rank),
            dist.irecv(torch.ones(5))]


def left_with_work(store_path, rank, size, how):
    """One rank waits for the others for ever; the end of its group does not."""
    world.join(store_path, rank, size)
    dist.all_reduce(torch.ones(1))
    store = dist.distributed_c10d._get_default_store()
    if rank == 1:
        store.set("is there", "yes")  # or rank 0 could end the call above
        store.wait(["is over"], world.LONG)
        return
    store.wait(["is there"], world.LONG)
    works = work_without_end(rank)
    if how == "destroy":
        dist.destroy_process_group()
    else:
        dist.distributed_c10d._abort_process_group()
    for work in works:
        with world.raises("destroyed|abort", dist.DistBackendError):
            work.wait()
    store.set("is over", "yes")


def ends_without_destroying(rank, store_path):
    """A whole program: the end of the interpreter does not hang on what is under way."""
    world.join(store_path, rank, 2)
    dist.all_reduce(torch.ones(1))
    if rank == 0:
        work_without_end(rank)


def again_and_again(store_path, rank, size):
    def threads_and_files():
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    # As under torchrun: one store for all of them.
    meeting = dist.FileStore(store_path, size)
    if rank == 0:
        store = dist.TCPStore("127.0.0.1", 0, size, is_master=True, wait_for_workers=False)
        meeting.set("port", str(store.port))
    else:
        store = dist.TCPStore("127.0.0.1", int(meeting.get("port")), size)

    def once():
        dist.init_process_group("rondo", store=store, rank=rank, world_size=size,
                                timeout=world.LONG)
        group = dist.new_group([0, 1])
        tensor = torch.ones(100)
        dist.all_reduce(tensor)
        dist.all_reduce(tensor, group=group, async_op=True).wait()
        if rank == 0:
            dist.send(tensor, 1)
        if rank == 1:
            dist.recv(tensor, 0)
        dist.destroy_process_group()
        assert tensor[0] == size * 2

    for _ in range(10):
        once()
    before = threads_and_files()
    for _ in range(100):
        once()
    after = threads_and_files()
    assert max(map(int.__sub__, after, before)) <= 0, (before, after)
    # Whose store it is stays until the others are done.
    meeting.set(f"done {rank}", "yes")
    meeting.wait([f"done {other}" for other in range(size)])


def stays_on_time(function, size, seconds, *arguments, dies=(), continues=()):
    """Runs it, and says when it takes far longer than it may: that is what hanging looks like."""
    started, folder = world.start(function, size, *arguments)
    end = time.monotonic() + seconds
    with folder:
        for rank, process in enumerate(started):
            if rank not in continues:
                process.join(max(0, end - time.monotonic()))
        late = [rank for rank, process in enumerate(started) if process.is_alive()]
        for rank in late:
            os.kill(started[rank].pid, signal.SIGKILL)
            started[rank].join()
    codes = {rank: process.exitcode for rank, process in enumerate(started) if rank not in dies}
    late = [rank for rank in late if rank not in continues]
    if late or any(codes.values()):
        sys.exit(f"{function.__name__}{arguments} among {size} ranks: exit codes {codes}, "
                 f"not ended after {seconds} s: {late}")
    print(f"{function.__name__}{arguments}: as it should be", flush=True)


def programs_end():
    with tempfile.TemporaryDirectory() as folder:
        started = [subprocess.Popen([sys.executable, __file__, str(rank), folder + "/store"])
                   for rank in range(2)]
        codes = [process.wait(LONGEST) for process in started]
    if any(codes):
        sys.exit(f"programs that end without destroying their group: exit codes {codes}")
    print("ends_without_destroying: as it should be", flush=True)


LONGEST = 100  # of what takes seconds, on a machine that is busy with other things

if __name__ == "__main__":
    if len(sys.argv) == 3:
        ends_without_destroying(int(sys.argv[1]), sys.argv[2])
        sys.exit()
    for is_async_ in (False, True):
        stays_on_time(killed, 3, LONGEST, is_async_, dies=[1])
    stays_on_time(killed_while_receiving, 3, LONGEST, dies=[1])
    stays_on_time(killed_in_subgroup, 3, LONGEST, dies=[2])
    stays_on_time(stopped, 2, LONGEST, dies=[1], continues=[1])
    stays_on_time(stays_away, 2, LONGEST)
    stays_on_time(wrong_message, 2, LONGEST)
    stays_on_time(missing, 2, LONGEST)
    stays_on_time(monitored, 3, LONGEST)
    for how_ in ("destroy", "abort"):
        stays_on_time(left_with_work, 2, LONGEST, how_)
    programs_end()
    stays_on_time(again_and_again, 2, 3 * LONGEST)
