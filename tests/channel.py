"""The page's end of a widget's channel: what was sent to it, and what it sends."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
import ipywidgets
import ipywidgets.widgets.widget as widget_module
import pytest
from comm.base_comm import BaseComm

EARLY_COMM: Any = getattr(widget_module, "Comm", None)
"""Where ipywidgets before 8.0.3 took its comms from: ipykernel, which it brought along."""

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


def opened() -> set[str]:
    """Return the ids of the widgets that are open."""
    # Early widgets were kept in the class.
    held = getattr(widget_module, "_instances", None)
    return set(ipywidgets.Widget._active_widgets if held is None else held)


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """Record what every comm opened inside sends."""
    channel = Channel()

    def publish_msg(
        comm: Any,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **_: Any,
    ) -> None:
        held = copy.deepcopy(data if data is not None else {})
        channel.sent.append((comm.comm_id, msg_type, held, list(buffers or [])))

    # Early comms send to a kernel only.
    of_recording = {"publish_msg": publish_msg, **({"kernel": object()} if EARLY_COMM else {})}
    recorded = type("RecordingComm", (EARLY_COMM or BaseComm,), of_recording)
    with monkeypatch.context() as patched:
        if EARLY_COMM:
            patched.setattr(widget_module, "Comm", recorded)
        else:
            patched.setattr(comm, "create_comm", recorded)
        yield channel
