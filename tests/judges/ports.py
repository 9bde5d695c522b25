"""Prints ports of this machine for servers that a test starts, one a line: ports.py COUNT.

They lie below those that Linux gives to connections that go out and to whoever asks for any port (32768 and above,
ip_local_port_range): one of those that is free now may be taken before the server listens at it.
"""

import random
import socket
import sys


def free(count: int) -> list[int]:
    """Ports that nobody listens at, no two alike."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(16_384, 32_768)
        with socket.socket() as it:
            it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                it.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
    return list(found)


if __name__ == "__main__":
    print(*free(int(sys.argv[1])), sep="\n")
