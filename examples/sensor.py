"""A sensor that sends a line a second: plain sockets, for MicroPython on an ESP32, and CPython.

    python examples/sensor.py 127.0.0.1 7000 kitchen

It talks to sensors.py or to `longlink serve --line-port 7000`, and comes back when they do.
"""

import math
import select
import socket
import sys
import time

HOST, PORT, NAME = "127.0.0.1", "7000", "esp32"  # on a board: write here where the server is

if len(sys.argv) == 4:
    HOST, PORT, NAME = sys.argv[1:]
elif len(sys.argv) > 1:
    sys.exit("usage: sensor.py HOST PORT NAME")

try:
    import machine  # type: ignore[import-not-found]

    pin = machine.ADC(machine.Pin(34))

    def read() -> float:
        return float(pin.read_u16() * 3.3 / 65535)

except ImportError:  # no board: a temperature that somebody made up

    def read() -> float:
        return 20 + 3 * math.sin(time.time() / 10)


def listen(sock: socket.socket, seconds: float) -> None:
    """Wait so long, and read what comes meanwhile: who never reads is too slow one day."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    end = time.time() + seconds
    while (left := end - time.time()) > 0:
        if poller.poll(int(left * 1000) + 1):
            data = sock.recv(256)
            if not data:
                raise OSError("the server closed")
            print("heard", data)  # here a real one would switch something


def report() -> None:
    """Connect and send until something goes wrong, which is an OSError."""
    sock = socket.socket()
    try:
        sock.settimeout(10)
        sock.connect(socket.getaddrinfo(HOST, int(PORT))[0][-1])
        print("connected")
        while True:
            sock.sendall(f"{NAME} {read():.2f}\n".encode())
            listen(sock, 1)
    finally:
        sock.close()


try:
    while True:
        try:
            report()
        except OSError as problem:
            print("lost:", problem)
            time.sleep(1)
except KeyboardInterrupt:
    pass
