"""Event files, read by protobuf, and by TensorBoard where it is installed."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from unet_core.base.config import TrainConfig
from unet_core.cli import main
from unet_core.runs import event_file, runs
from unet_core.runs.runs import Run

STEPS = [
    {"step": 1, "epoch": 1, "loss": 0.5, "lr": 1e-3},
    {"step": 300, "epoch": 1, "loss": 1e300, "lr": 5e-4},
]
EPOCHS = [{"epoch": 1, "val_dice": 0.75, "val_loss": None, "note": "x", "is_best": True}]


@pytest.fixture
def run() -> Run:
    made = runs.create(TrainConfig.of(epochs=3), preset="quick")
    for name, rows in (("steps", STEPS), ("metrics", EPOCHS)):
        (made.path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


def event_class() -> Any:
    """The four fields of TensorFlow's event.proto and summary.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    for message, fields in {
        "Value": [("tag", 1, kinds.TYPE_STRING, one), ("simple_value", 2, kinds.TYPE_FLOAT, one)],
        "Summary": [("value", 1, "Value", many)],
        "Event": [
            ("wall_time", 1, kinds.TYPE_DOUBLE, one),
            ("step", 2, kinds.TYPE_INT64, one),
            ("file_version", 3, kinds.TYPE_STRING, one),
            ("summary", 5, "Summary", one),
        ],
    }.items():
        described = file.message_type.add(name=message)
        for name, number, kind, label in fields:
            is_message = isinstance(kind, str)
            field = described.field.add(name=name, number=number, label=label)
            field.type = kinds.TYPE_MESSAGE if is_message else kind
            if is_message:
                field.type_name = f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Event"))


def decode(content: bytes) -> list[Any]:
    event, found = event_class(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(event.FromString(content[12 : 12 + length]))
        content = content[12 + length + 4 :]
    return found


def test_protobuf_reads_every_number_of_the_curves_at_its_place(run: Run) -> None:
    first, *events = decode(event_file.encode(run))
    assert first.file_version == "brain.Event:2"
    assert {one.wall_time for one in (first, *events)} == {run.status().created_at}
    assert [one.step for one in events] == [1, 300, 1]
    values = [{value.tag: value.simple_value for value in one.summary.value} for one in events]
    assert values == [
        {"step/loss": 0.5, "step/lr": pytest.approx(1e-3)},
        {"step/loss": math.inf, "step/lr": pytest.approx(5e-4)},  # too large for 32 bits
        {"epoch/val_dice": 0.75},
    ]


def test_the_file_begins_as_those_of_tensorflow_do(run: Run) -> None:
    # Length 24 and its masked checksum, as in every event file that TensorFlow writes.
    assert event_file.encode(run)[:12] == bytes.fromhex("1800000000000000a37f4b22")


def test_checksums_are_crc_32c() -> None:
    (masked,) = struct.unpack("<I", event_file._masked_crc(b"123456789"))
    rotated = (masked - 0xA282EAD8) % 2**32
    assert (rotated >> 17 | rotated << 15) % 2**32 == 0xE3069283  # the polynomial's check value


def test_the_command_gives_each_run_a_folder_and_replaces_what_was_there(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = runs.create(TrainConfig.of(epochs=2))
    words = ["curves", run.id, other.id, "--out", str(tmp_path / "logs")]
    for _ in range(2):
        assert main.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    paths = sorted(path for path in (tmp_path / "logs").rglob("*") if path.is_file())
    assert sorted(path.parent.name for path in paths) == sorted([run.id, other.id])
    assert all(path.name.startswith("events.out.tfevents.") for path in paths)
    assert lines[0].startswith(f"{run.id}: 1 epochs -> {tmp_path / 'logs' / run.id}")
    assert lines[2] == f"tensorboard --logdir {tmp_path / 'logs'}"


def test_a_run_that_is_not_there_is_told_before_anything_is_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["curves", run.id, "none", "--out", str(tmp_path / "logs")]) == 2
    assert "there is no run 'none'" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
