"""An array that counts what is read of it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class CountedArray:
    """An array that records every part asked of it and refuses to be read whole unasked."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self.asked: list[Any] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._values.shape)

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    def __getitem__(self, key: Any) -> Any:
        self.asked.append(key)
        return self._values[key]

    def __array__(self, *args: object, **kwargs: object) -> NDArray[Any]:
        raise AssertionError("the array was read whole")

    def __len__(self) -> int:
        raise AssertionError("the array was measured")

    @property
    def numbers_read(self) -> int:
        return sum(int(self._values[key].size) for key in self.asked)
