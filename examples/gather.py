"""Adds up numbers over all tasks of a step: rank 0 listens at MASTER_ADDR:MASTER_PORT, the others call in. Sockets only."""

import os
import socket
import time

import numpy as np
from job_times import Floats

PATIENCE = 60.0


class Group:
    """The tasks of one step; every method is called by all of them together."""

    def __init__(self, rank: int, size: int, peers: list[socket.socket]) -> None:
        self.rank, self.size, self._peers = rank, size, peers

    @classmethod
    def meet(cls) -> "Group":
        """Joins the group that SLURM_PROCID, SLURM_NTASKS, MASTER_ADDR and MASTER_PORT describe; raises TimeoutError after a minute."""
        rank, size = int(os.environ.get("SLURM_PROCID", "0")), int(os.environ.get("SLURM_NTASKS", "1"))
        address = (_resolve(os.environ.get("MASTER_ADDR", "127.0.0.1")), int(os.environ.get("MASTER_PORT", "12355")))
        if size == 1:
            return cls(rank, size, [])
        if rank:
            return cls(rank, size, [_call(address)])
        with socket.create_server(address, backlog=size) as server:
            server.settimeout(PATIENCE)
            return cls(rank, size, [server.accept()[0] for _ in range(size - 1)])

    def mean(self, values: Floats) -> Floats:
        """The mean over all tasks of equally shaped vectors, the same on each."""
        if self.rank:
            self._peers[0].sendall(values.tobytes())
            return _receive(self._peers[0], values)
        total = values.copy()
        for peer in self._peers:
            total += _receive(peer, values)
        total /= self.size
        for peer in self._peers:
            peer.sendall(total.tobytes())
        return total

    def leave(self) -> None:
        """Closes the connections."""
        for peer in self._peers:
            peer.close()


def _resolve(host: str) -> str:
    """The address of a node; emulated nodes have names that no resolver knows and share this host."""
    try:
        return socket.gethostbyname(host)
    except socket.gaierror:
        return "127.0.0.1"


def _call(address: tuple[str, int]) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            peer = socket.create_connection(address, timeout=PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody listens at {address[0]}:{address[1]}") from None
            time.sleep(0.05)
        else:
            peer.settimeout(PATIENCE)
            return peer


def _receive(peer: socket.socket, like: Floats) -> Floats:
    wanted = like.nbytes
    received = bytearray()
    while len(received) < wanted:
        piece = peer.recv(wanted - len(received))
        if not piece:
            raise ConnectionError("a task of this step has left")
        received += piece
    return np.frombuffer(bytes(received), dtype=like.dtype).reshape(like.shape)
