"""Devices that go while slurmd runs."""

from __future__ import annotations

from pathlib import Path

from slurm.config.gres import GresDevice
from slurm.slurmd.gpu_meter import write
from slurm.slurmd.gpus.lost import Watch
from slurm.wire.messages import Message
from slurm.wire.node_messages import DevicesLost


def _device(file: Path | str, index: int, name: str = "gpu") -> GresDevice:
    return GresDevice(name, "a100", str(file), [], index, 1)


def test_a_device_is_lost_when_its_file_goes_and_back_when_it_is_there_again(tmp_path: Path) -> None:
    files = [tmp_path / f"nvidia{number}" for number in range(3)]
    for file in files[:2]:
        file.touch()
    watch = Watch([*(_device(file, number) for number, file in enumerate(files)), GresDevice("licence", "", "", [], 0, 4)], str(tmp_path / "readings"))
    assert watch.look() == []  # the third was never there
    files[1].unlink()
    (lost,) = watch.look()
    said: list[Message] = []
    for _ in range(3):
        watch.tell(said.append)
    watch.forget()
    watch.tell(said.append)
    assert said == [DevicesLost(lost=[lost])] * 2
    assert (lost.name, lost.index, lost.why) == ("gpu", 1, f"{files[1]} is gone")
    files[1].mkdir()
    assert [one.why for one in watch.look()] == [f"{files[1]} is another device now"]
    files[1].rmdir()
    files[1].touch()
    files[2].touch()
    assert watch.look() == []


def test_what_the_driver_has_lost_is_lost_though_its_file_is_there(tmp_path: Path) -> None:
    file, readings = tmp_path / "nvidia0", tmp_path / "readings"
    file.touch()
    watch = Watch([_device(f"{file},{tmp_path}", 0)], str(readings))
    write(str(readings), {}, [str(file)])
    assert [one.why for one in watch.look()] == [f"{file} is lost, as its driver says"]
    for text in ("", "[1", "{}"):
        readings.write_text(text)
        assert watch.look() == []
