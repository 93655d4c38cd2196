"""The curves of a run as a TensorBoard event file, written without TensorBoard.

The file is a row of records: length, its checksum, an event, its checksum (`TFRecord`, in
`tensorflow/core/lib/io/record_writer.h`); checksums are CRC-32C, masked. An event is the protocol
buffer `tensorflow.Event` (`event.proto`, `summary.proto`), of which four fields are needed.
"""

import math
import struct
from collections.abc import Mapping
from typing import Any

from unet_core.runs.runs import Run

_POLYNOMIAL = 0x82F63B78  # of CRC-32C (Castagnoli), its lowest bit first


def encode(run: Run) -> bytes:
    """All numbers of a run's curves: `step/...` over the steps, `epoch/...` over the epochs.

    Every event has the time at which the run was made, for the rows of its curves hold none.
    """
    when = run.status().created_at or 0.0
    events = [_event(when, b"\x1a" + _sized(b"brain.Event:2"))]
    for kind, rows in (("step", run.steps().rows), ("epoch", run.metrics().rows)):
        for row in rows:
            values = {
                f"{kind}/{name}": value for name, value in row.items() if _is_curve(name, value)
            }
            events.append(_event(when, b"\x10" + _varint(int(row[kind])) + _summary(values)))
    return b"".join(map(_record, events))


def file_name(run: Run) -> str:
    """A name by which TensorBoard knows the file, and which no other run has."""
    return f"events.out.tfevents.{int(run.status().created_at or 0)}.{run.id}"


def _is_curve(name: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and name not in ("step", "epoch")


def _event(when: float, rest: bytes) -> bytes:
    return b"\x09" + struct.pack("<d", when) + rest


def _summary(values: Mapping[str, float]) -> bytes:
    scalars = [
        b"\x0a" + _sized(b"\x0a" + _sized(name.encode()) + b"\x15" + _float(value))
        for name, value in values.items()
    ]
    return b"\x2a" + _sized(b"".join(scalars))


def _float(value: float) -> bytes:
    """Four bytes; what is too large for them, as a loss that went astray, becomes infinite."""
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth bit set."""
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _masked_crc(length) + event + _masked_crc(event)


def _crc_of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = [_crc_of_byte(value) for value in range(256)]


def _masked_crc(content: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
