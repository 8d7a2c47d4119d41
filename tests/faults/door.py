"""A port on loopback that can be shut and opened again, a thread for each who comes in."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
# Closing sends a reset, not a polite end.
_ABRUPT = struct.pack("ii", 1, 0)


class Door:
    """Lets callers in.

    :param serve: deals with one caller; its socket is closed afterwards
    :ivar port: stays ours while the door is shut: the kernel refuses who knocks then
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._inside: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Let callers in; no harm if it is open."""
        with self._lock:
            if self._is_open:
                return
            self._is_open = True
            self._listener.listen(64)
            thread = threading.Thread(target=self._welcome, args=(self._listener,))
            self._threads.append(thread)
            thread.start()

    def shut(self) -> None:
        """Refuse new callers, and throw out those inside; no harm if it is shut."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            # Wakes up whoever waits in accept; closing would not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = _bound(self.port)
            inside = list(self._inside)
        for caller in inside:
            reset(caller)

    def close(self) -> None:
        """Shut for good; returns when nobody is inside."""
        self.shut()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _welcome(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._is_open:
                    caller.close()
                    return
                self._inside.add(caller)
                thread = threading.Thread(target=self._attend, args=(caller,))
                self._threads.append(thread)
            thread.start()

    def _attend(self, caller: socket.socket) -> None:
        try:
            # Either side may be gone at any time; that is what this is for.
            with contextlib.suppress(OSError):
                self._serve(caller)
        finally:
            with self._lock:
                self._inside.discard(caller)
            caller.close()


def reset(caller: socket.socket) -> None:
    """End a connection abruptly: the peer sees a reset, whoever reads here an end."""
    with contextlib.suppress(OSError):
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
        caller.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        caller.close()


def gone(caller: socket.socket) -> bool:
    """Tell whether the peer has closed the connection."""
    try:
        return caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextlib.contextmanager
def opened(door: Door) -> Iterator[Door]:
    """Hold a door open."""
    door.open()
    try:
        yield door
    finally:
        door.close()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound
