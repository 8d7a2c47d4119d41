"""A port on loopback that can refuse connections and accept them again; one thread a client."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
# A close sends a reset in place of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class Listener:
    """Accepts clients while it is open.

    :param serve: serves one client; its socket is closed afterwards
    :ivar port: stays bound while closed, so that the kernel refuses connections
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._socket = _bind(0)
        self.port: int = self._socket.getsockname()[1]
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Accept clients; do nothing if it is open."""
        with self._lock:
            if self._is_open:
                return
            self._is_open = True
            self._socket.listen(64)
            thread = threading.Thread(target=self._accept, args=(self._socket,))
            self._threads.append(thread)
            thread.start()

    def refuse(self) -> None:
        """Refuse new clients and reset all connections; do nothing if it is closed."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            # Ends a blocking accept; a close would not.
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = _bind(self.port)
            clients = list(self._clients)
        for client in clients:
            reset(client)

    def close(self) -> None:
        """Refuse clients for good; return when all threads have ended."""
        self.refuse()
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                if not self._is_open:
                    client.close()
                    return
                self._clients.add(client)
                thread = threading.Thread(target=self._handle, args=(client,))
                self._threads.append(thread)
            thread.start()

    def _handle(self, client: socket.socket) -> None:
        try:
            # Either side may be gone at any time: faults do that.
            with contextlib.suppress(OSError):
                self._serve(client)
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()


def reset(client: socket.socket) -> None:
    """Reset a connection; a thread that reads from it here sees its end."""
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        client.close()


def is_closed_by_peer(client: socket.socket) -> bool:
    """Tell whether the peer has closed the connection."""
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextlib.contextmanager
def running_listener(listener: Listener) -> Iterator[Listener]:
    """Keep a listener open; close it when the context ends."""
    listener.open()
    try:
        yield listener
    finally:
        listener.close()


def _bind(port: int) -> socket.socket:
    bound_socket = socket.socket()
    bound_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound_socket.bind((HOST, port))
    return bound_socket
