"""What every test returns: a number, what it was compared with, and a sentence that says so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..frames import frame_of

if TYPE_CHECKING:
    import pandas as pd

Leaning = Literal["for", "against", "neither"]
"""Whether a finding supports reading the map as an explanation, speaks against it, or neither."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Finding(ABC):
    """One result of one test of one map."""

    n: int
    """How many runs, pairs or steps it rests on."""
    asked: int | None = None
    """How many were asked for; None where that isn't known or is ``n``."""
    stopped: bool = False
    """Whether the user ended the test before it was done."""

    title: ClassVar[str]
    """What the test is called, here and in ``docs/evidence-model.md``."""
    source: ClassVar[str]
    """The paper it comes from."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The number that sums it up."""

    @property
    @abstractmethod
    def compared_with(self) -> str:
        """What the number stands beside, in words."""

    @property
    @abstractmethod
    def leaning(self) -> Leaning:
        """Whether it supports the map as an explanation, speaks against it, or neither."""

    @property
    @abstractmethod
    def told(self) -> str:
        """What was found, in one plain sentence."""

    @abstractmethod
    def columns(self) -> Mapping[str, Any]:
        """The numbers behind it, as columns of one length."""

    @property
    def sentence(self) -> str:
        """What was found, in plain words, and where it was stopped if it was."""
        if not self.stopped:
            return self.told
        of = "" if self.asked is None else f" of {self.asked}"
        return f"{self.told} (Stopped after {self.n}{of}.)"

    def to_frame(self) -> pd.DataFrame:
        """Return the numbers behind it as a pandas DataFrame.

        Raises:
            ImportError: if pandas is not installed.
        """
        return frame_of(self.columns())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value:.4g}): {self.sentence}"


def frozen(values: Any) -> Any:
    """Return a read-only float64 copy, for a record that stays as it was found."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
