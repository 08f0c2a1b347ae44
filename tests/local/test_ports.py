"""Ports: kept while free, moved when taken; and the question that tells our broker from a stranger."""

import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duly_local import metadata, ports


def test_ports_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = ports.settle(path, ["kafka", "inbox"])

    assert first == ports.settle(path, ["inbox", "kafka"])
    assert first == json.loads(path.read_text())
    assert len(set(first.values())) == 2


def test_port_that_a_stranger_took_moves_alone(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = ports.settle(path, ["kafka", "inbox"])
    with socket.create_server((ports.HOST, first["inbox"])):
        second = ports.settle(path, ["kafka", "inbox"])

    assert first["kafka"] == second["kafka"]
    assert first["inbox"] != second["inbox"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"inbox": "25"}', '{"inbox": 25}', '{"inbox": true}'])
def test_ports_are_chosen_anew_when_the_file_makes_no_sense(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ports.json"
    path.write_text(text)

    assert ports.settle(path, ["inbox"])["inbox"] in ports.CHOICE


def answered(answer: bytes) -> metadata.Cluster | None:
    """Ask a server that gives this answer to whatever it is asked."""
    with socket.create_server((ports.HOST, 0)) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(metadata.ask, server.getsockname()[1])
        connection, _ = server.accept()
        with connection:
            connection.recv(1_000)
            connection.sendall(answer)
        return asked.result()


def test_metadata_reads_cluster_and_ports() -> None:
    broker = struct.pack(">ih9sih", 1, 9, b"127.0.0.1", 19_092, -1)
    body = struct.pack(">ii", 1, 1) + broker + struct.pack(">h4si", 4, b"ours", 1)

    assert metadata.Cluster("ours", [19_092]) == answered(struct.pack(">i", len(body)) + body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 localhost ESMTP\r\n",
        struct.pack(">i", -1),
        struct.pack(">i", 6) + b"abcdef",
        struct.pack(">iii", 8, 1, 2_000_000_000),
    ],
)
def test_metadata_takes_a_stranger_for_nobody(answer: bytes) -> None:
    assert answered(answer) is None
