#!/usr/bin/env python3
"""TCP streams from host to host: what a link carries of payload at best.

usage: stream.py receive ADDRESS        prints the port, later the payload rate in bits a second
       stream.py send ADDRESS PORT SECONDS
"""

import contextlib
import subprocess
import sys
import socket
import time

PIECE_BYTES = 1 << 20
# TCP's window has found its size by then, and the token buckets have lost what they had saved.
SETTLING_SHARE = 0.25
PATIENCE_S = 30


def payload_rates(network, pairs, seconds=1.0):
    """Bits a second of a stream for each pair (from, to) of hosts, all at the same time."""
    with contextlib.ExitStack() as stack:
        def start(host, *words, **more):
            command = [sys.executable, __file__, *words]
            process = stack.enter_context(network.start(host, command, **more))
            stack.callback(process.kill)
            return process

        receivers = []
        ports = []
        for _, target in pairs:
            receivers.append(start(target, "receive", network.address(target),
                                   stdout=subprocess.PIPE, text=True))
            ports.append(receivers[-1].stdout.readline().strip())
        for (source, target), port in zip(pairs, ports):
            start(source, "send", network.address(target), port, str(seconds))
        texts = [receiver.communicate(timeout=seconds + PATIENCE_S)[0] for receiver in receivers]
    return [float(text) for text in texts]


def receive(address):
    piece = memoryview(bytearray(PIECE_BYTES))
    with socket.create_server((address, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        with connection:
            samples = [(time.monotonic(), 0)]
            while count := connection.recv_into(piece):
                samples.append((time.monotonic(), samples[-1][1] + count))
    print(steady_rate(samples), flush=True)


def steady_rate(samples):
    """Bits a second after the stream has settled; samples are (time, bytes so far)."""
    begin, end = samples[0][0], samples[-1][0]
    settled = next(sample for sample in samples
                   if sample[0] >= begin + SETTLING_SHARE * (end - begin))
    return (samples[-1][1] - settled[1]) * 8 / max(end - settled[0], 1e-9)


def send(address, port, seconds):
    piece = bytes(PIECE_BYTES)
    with socket.create_connection((address, port)) as connection:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(piece)


def main(words):
    match words:
        case ["receive", address]:
            receive(address)
        case ["send", address, port, seconds]:
            send(address, int(port), float(seconds))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
