"""Relevance propagated through the layers: attention times gradient, added up on the way.

Rules (5) to (11) of Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting
Bi-Modal and Encoder-Decoder Transformers", ICCV 2021, arXiv 2103.15679.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from .chain import ChainSource, check_finite, normalised, with_identity
from .gradients import weighted_rows
from .inputs import Floats, as_attention, as_fitting, check_square, derived
from .lazy import Pauses, Steps, WholeSource, blocks, told

MOST_CELLS: Final = 1 << 23
"""Cells of one relevance matrix that are held at once where two sides exchange relevance."""

ORDERS: Final = ("cross first", "self first")


def relevance(
    att: object, gradients: object, *, identity: bool = True, each_layer: bool = False
) -> Attention:
    """Relevance of each input position for each position, by attention and gradients (Chefer).

    ``Ā_l = mean_h (G_l ⊙ A_l)⁺`` (5), ``R ← R + Ā_l R`` from ``R = I`` (6), so that
    ``R = (I + Ā_L) … (I + Ā_1)``. Read the row of the position that the answer is read from: [CLS]
    of a classifier, the last token of a language model. Computed when first read; of maps beyond
    2,048 positions only the rows that are read. Source: Chefer, Gur and Wolf 2021, arXiv
    2103.15679.

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        gradients: ``G = ∂y/∂A`` of the same shape, of the one number y to be explained: an array or
            a map.
        identity: Whether the result holds the relevance that every position has for itself.
        each_layer: Whether to return the relevance up to each layer instead of the last.

    Returns:
        A map (1, 1, n, n), or (L, 1, n, n), of kind ``"relevance"``.

    Raises:
        ValueError: If the map is not square or shapes differ; on reading, if weights are missing.
    """
    att = as_attention(att)
    check_square(att, "relevance")
    slopes = as_fitting(gradients, att, "gradients")
    layers, heads, _, length = att.shape

    def rows(layer: int, at: slice) -> Generator[None, None, Floats]:
        found = yield from weighted_rows(att, slopes, layer, at, each_positive=True)
        return with_identity(check_finite(found, att, "relevance", layer), at)

    def ending(found: Floats, at: slice) -> Floats:
        return found if identity else with_identity(found, at, -1.0)

    source = ChainSource(
        rows,
        range(layers),
        length,
        each=each_layer,
        width=2 * length,
        heads=heads,
        ending=ending,
    )
    notes = () if identity else ("without the relevance of each position for itself",)
    settings = {"identity": identity}
    return derived(att, source, "relevance", settings=settings, notes=notes, kind="relevance")


def relevance_co(
    first: object,
    second: object,
    first_to_second: object,
    second_to_first: object,
    gradients: Sequence[object],
    *,
    order: str = "cross first",
) -> dict[str, Attention]:
    """Relevance between two sides that attend to themselves and to each other, as in LXMERT.

    With s the side that attends and q the other: self-attention ``R_ss += Ā R_ss``,
    ``R_sq += Ā R_sq`` (6, 7); co-attention ``R_sq += R̄_ssᵀ Ā R̄_qq`` (10), ``R_ss += Ā R_qs`` (11),
    both sides from what they were before; ``R̄ = R̂ / rowsum + I`` with ``R̂ = R − I`` (8, 9), a row
    of R̂ without relevance being zeros. Self-attention layers beyond those that belong to
    co-attention come first. Computed when one of the results is first read.

    Args:
        first: Self-attention (L_s, H, n, n) of one side.
        second: Self-attention (L_q, H, m, m) of the other.
        first_to_second: What the first side attends to on the second, (L, H, n, m).
        second_to_first: The reverse, (L, H, m, n).
        gradients: Four arrays or maps of their shapes, in this order.
        order: Whether a layer begins with co-attention, ``"cross first"`` (LXMERT), or with
            self-attention, ``"self first"``.

    Returns:
        Maps ``"first"``, ``"second"``, ``"first to second"`` and ``"second to first"``, each of one
        layer and head and of kind ``"relevance"``.

    Raises:
        ValueError: If shapes do not belong together.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}")
    maps = [
        _Weighted(value, slope, name)
        for value, slope, name in zip(
            (first, second, first_to_second, second_to_first),
            _four(gradients),
            ("first", "second", "first_to_second", "second_to_first"),
            strict=True,
        )
    ]
    one, two, out, back = maps
    sides = one.length, two.length
    _check(one, (sides[0], sides[0]))
    _check(two, (sides[1], sides[1]))
    _check(out, sides)
    _check(back, sides[::-1])
    crossings = out.layers
    if back.layers != crossings or min(one.layers, two.layers) < crossings:
        raise ValueError(
            "both sides must have one co-attention layer for each of the other, and no fewer "
            f"self-attention layers; got {out.layers} and {back.layers} co-attention layers, "
            f"{one.layers} and {two.layers} self-attention layers"
        )
    state = _State(sides)

    def steps() -> Steps:
        before = one.layers - crossings, two.layers - crossings
        total = one.layers + two.layers + 2 * crossings
        done = 0
        for side, layers in enumerate(before):
            for layer in range(layers):
                yield from told(state.attend(maps[side], layer, side), done / total)
                done += 1
        for layer in range(crossings):
            parts = ("cross", "self") if order == "cross first" else ("self", "cross")
            for part in parts:
                if part == "cross":
                    yield from told(state.exchange((out, back), layer), done / total)
                else:
                    yield from told(state.attend(one, before[0] + layer, 0), done / total)
                    yield from told(state.attend(two, before[1] + layer, 1), done / total)
                done += 2

    shared = _Shared(state, steps)
    names = {
        "first": (0, 0),
        "second": (1, 1),
        "first to second": (0, 1),
        "second to first": (1, 0),
    }
    return {
        name: shared.result(found, "relevance_co", name, place, {"order": order})
        for (name, place), found in zip(names.items(), maps, strict=True)
    }


def relevance_encoder_decoder(
    encoder: object, decoder: object, cross: object, gradients: Sequence[object]
) -> dict[str, Attention]:
    """Relevance of source positions for each target position of an encoder–decoder.

    Encoder: ``R_ii += Ā R_ii`` (6). Each decoder layer: self-attention ``R_qq += Ā R_qq``,
    ``R_qi += Ā R_qi`` (6, 7), then cross-attention ``R_qi += R̄_qqᵀ Ā R̄_ii`` (10) with
    ``R̄ = R̂ / rowsum + I`` and ``R̂ = R − I`` (8, 9). Read the row of the target position whose
    answer the gradients are of. Computed when one of the results is first read.

    Args:
        encoder: Self-attention (L_e, H, n, n) over the source.
        decoder: Self-attention (L, H, m, m) over the target.
        cross: What the target attends to in the source, (L, H, m, n).
        gradients: Three arrays or maps of their shapes, in this order, of the one number explained.

    Returns:
        Maps ``"encoder"``, ``"decoder"`` and ``"cross"``, named as what they were made from, each
        of one layer and head and of kind ``"relevance"``.

    Raises:
        ValueError: If shapes do not belong together.
    """
    slopes = list(gradients)
    if len(slopes) != 3:
        raise ValueError(
            f"gradients must be three, of encoder, decoder and cross; got {len(slopes)}"
        )
    source, target, between = (
        _Weighted(value, slope, name)
        for value, slope, name in zip(
            (encoder, decoder, cross), slopes, ("encoder", "decoder", "cross"), strict=True
        )
    )
    sides = target.length, source.length
    _check(source, (sides[1], sides[1]))
    _check(target, (sides[0], sides[0]))
    _check(between, sides)
    if between.layers != target.layers:
        raise ValueError(
            "decoder and cross must have one number of layers; got "
            f"{target.layers} and {between.layers}"
        )
    state = _State(sides)

    def steps() -> Steps:
        total = source.layers + 2 * target.layers
        for layer in range(source.layers):
            yield from told(state.attend(source, layer, 1), layer / total)
        for layer in range(target.layers):
            share = (source.layers + 2 * layer) / total
            yield from told(state.attend(target, layer, 0), share)
            yield from told(state.cross(between, layer), share)

    shared = _Shared(state, steps)
    method = "relevance_encoder_decoder"
    return {
        "encoder": shared.result(source, method, "encoder", (1, 1)),
        "decoder": shared.result(target, method, "decoder", (0, 0)),
        "cross": shared.result(between, method, "cross", (0, 1)),
    }


class _Weighted:
    """A map and its gradients, as ``mean_h (G ⊙ A)⁺`` of each layer."""

    def __init__(self, att: object, gradients: object, name: str) -> None:
        self.att = as_attention(att, name)
        self.gradients = as_fitting(gradients, self.att, f"gradients of {name}")
        self.name = name
        self.layers = self.att.shape[0]
        self.length = self.att.shape[2]

    def matrix(self, layer: int) -> Generator[None, None, Floats]:
        """Ā of a layer, read in blocks."""
        _, _, queries, keys = self.att.shape
        found = np.empty((queries, keys))
        for rows in blocks(queries, 2 * keys):
            part = weighted_rows(self.att, self.gradients, layer, rows, each_positive=True)
            found[rows] = check_finite((yield from part), self.att, "relevance", layer)
        return found


class _State:
    """Relevance of two sides for themselves and for each other: ``parts[s][q]``."""

    def __init__(self, sides: tuple[int, int]) -> None:
        if max(sides) ** 2 > MOST_CELLS:
            raise ValueError(
                f"relevance between two sides holds whole matrices, of at most {MOST_CELLS} cells; "
                f"got {max(sides)} positions on one side: select fewer"
            )
        self._sides = sides
        self.restart()

    def restart(self) -> None:
        """Every position is relevant for itself and for nothing else."""
        one, two = self._sides
        self.parts: list[list[Floats]] = [
            [np.eye(one), np.zeros((one, two))],
            [np.zeros((two, one)), np.eye(two)],
        ]

    def attend(self, weighted: _Weighted, layer: int, side: int) -> Pauses:
        """Rules (6) and (7): a side attends to itself."""
        matrix = yield from weighted.matrix(layer)
        self.parts[side] = [part + matrix @ part for part in self.parts[side]]

    def cross(self, weighted: _Weighted, layer: int) -> Pauses:
        """Rule (10): the first side attends to the second."""
        matrix = yield from weighted.matrix(layer)
        (own, to), (_, other) = self.parts
        self.parts[0][1] = to + _mixed(own).T @ matrix @ _mixed(other)

    def exchange(self, pair: tuple[_Weighted, _Weighted], layer: int) -> Pauses:
        """Rules (10) and (11): both sides attend to each other, from what they were before."""
        matrices = []
        for weighted in pair:
            matrices.append((yield from weighted.matrix(layer)))
        before = self.parts
        after: list[list[Floats]] = [[], []]
        for side, matrix in enumerate(matrices):
            other = 1 - side
            own = before[side][side] + matrix @ before[other][side]
            mixed = _mixed(before[side][side]).T @ matrix @ _mixed(before[other][other])
            to = before[side][other] + mixed
            after[side] = [own, to] if side == 0 else [to, own]
        self.parts = after


class _Shared:
    """Several maps that come of one computation, which runs when the first of them is read."""

    def __init__(self, state: _State, steps: Callable[[], Steps]) -> None:
        self._state = state
        self._steps = steps
        self._known: list[list[Floats]] | None = None

    def result(
        self,
        weighted: _Weighted,
        method: str,
        name: str,
        place: tuple[int, int],
        settings: dict[str, str] | None = None,
    ) -> Attention:
        """The map of one part of the state."""
        side, other = place

        def steps() -> Generator[float, None, NDArray[np.float64]]:
            if self._known is None:
                self._state.restart()
                yield from self._steps()
                self._known = self._state.parts
            return self._known[side][other]

        att = weighted.att
        source = WholeSource((1, 1, *att.shape[2:]), steps)
        return derived(
            att, source, method, title=f"relevance, {name}", settings=settings, kind="relevance"
        )


def _mixed(part: Floats) -> Floats:
    """Rules (8) and (9): ``R̂ / rowsum + I`` with ``R̂ = R − I``."""
    every = slice(0, len(part))
    return with_identity(normalised(with_identity(part, every, -1.0)), every)


def _four(gradients: Sequence[object]) -> list[object]:
    slopes = list(gradients)
    if len(slopes) != 4:
        raise ValueError(
            "gradients must be four, of first, second, first_to_second and second_to_first; "
            f"got {len(slopes)}"
        )
    return slopes


def _check(weighted: _Weighted, sides: tuple[int, int]) -> None:
    if weighted.att.shape[2:] != sides:
        raise ValueError(
            f"{weighted.name} must be {sides[0]} × {sides[1]} (queries × keys) to fit the others; "
            f"got {weighted.att.shape[2]} × {weighted.att.shape[3]}"
        )
