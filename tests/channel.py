"""The page's end of a widget's channel: what was sent to it, and what it sends."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

Message = tuple[str, dict[str, Any], list[Any]]


class Channel:
    """Everything that was sent while comms were recorded, as ``(comm_id, type, data, buffers)``."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any], list[Any]]] = []

    def of(self, widget: Any) -> list[Message]:
        """Return the messages of one widget: type, data, buffers."""
        return [message[1:] for message in self.sent if message[0] == widget.model_id]

    def updates(self, widget: Any) -> list[dict[str, Any]]:
        """Return the states sent after the first, echoes apart."""
        return [data["state"] for _, data, _ in self.of(widget) if data.get("method") == "update"]

    def echoes(self, widget: Any) -> list[str]:
        """Return the names echoed."""
        return [
            name
            for _, data, _ in self.of(widget)
            if data.get("method") == "echo_update"
            for name in data["state"]
        ]

    def replies(self, widget: Any) -> list[tuple[dict[str, Any], list[Any]]]:
        """Return the custom messages and their buffers."""
        return [
            (data["content"], buffers)
            for _, data, buffers in self.of(widget)
            if data.get("method") == "custom"
        ]

    def sizes(self, widget: Any) -> list[int]:
        """Return the bytes of each message."""
        return [
            len(json.dumps(data).encode()) + sum(memoryview(part).nbytes for part in buffers)
            for _, data, buffers in self.of(widget)
        ]

    def clear(self) -> None:
        """Forget what was sent so far."""
        self.sent.clear()

    def set(self, widget: Any, **state: Any) -> None:
        """Set state as the page does."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        self._deliver(widget, data)

    def send(self, widget: Any, content: Any) -> None:
        """Send a custom message as the page does."""
        self._deliver(widget, {"method": "custom", "content": content})

    @staticmethod
    def _deliver(widget: Any, data: dict[str, Any]) -> None:
        # Only what JSON can carry gets through.
        arrived = json.loads(json.dumps(data))
        widget.comm.handle_msg({"content": {"data": arrived}, "buffers": []})


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """Record what every comm opened inside sends."""
    channel = Channel()

    class RecordingComm(BaseComm):
        def publish_msg(
            self,
            msg_type: str,
            data: Any = None,
            metadata: Any = None,
            buffers: Any = None,
            **keys: Any,
        ) -> None:
            held = copy.deepcopy(data if data is not None else {})
            channel.sent.append((self.comm_id, msg_type, held, list(buffers or [])))

    with monkeypatch.context() as patched:
        patched.setattr(comm, "create_comm", RecordingComm)
        yield channel
