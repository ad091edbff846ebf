"""Maps of what a transformers model returned, with the labels that belong to them."""

from __future__ import annotations

import warnings

from ..attention import Attention
from .held import Contents, Held, contents
from .tokenized import is_inputs, length_of, mask_of, texts_in, tokens_of


def from_transformers(
    outputs: object,
    queries: object = None,
    keys: object = None,
    *,
    tokenizer: object = None,
    input_ids: object = None,
    attention_mask: object = None,
    batch: int | None = None,
    name: str = "",
) -> Attention | dict[str, Attention]:
    """The attention in what a model of transformers returned; nothing is copied.

    Takes the outputs of ``model(..., output_attentions=True)`` and of ``generate(...,
    output_attentions=True, return_dict_in_generate=True)``, whose steps become one map: a row
    for each position that was read, 0 where a step did not see a key. Rows of its decoder are
    labelled by the token read, rows of its cross-attention by the token written.

    Args:
        outputs: What the model returned, or its ``attentions``.
        queries: What the positions of the decoder, of the text or of the only sequence are; see
            `Attention`. Or the model's inputs as the tokenizer made them, which tell it.
        keys: What the positions of the other sequence are: the encoder's, or the image's. None on
            a single square map means "same as queries".
        tokenizer: Labels ``input_ids``, and what was generated.
        input_ids: The ids that the model was given; those of its encoder where it has one.
        attention_mask: 0 where these are padding, which becomes special.
        batch: Which entry of the batch; of a generation, which sequence.
        name: A name to show.

    Returns:
        The map where there is one, else ``{name: Attention}``, as `AttentionWidget` takes it:
        ``"encoder"``, ``"decoder"``, ``"cross"``, ``"text"``, ``"vision"`` …. Layers of different
        shape, such as the stages of a pyramid, become maps of their own.

    Raises:
        ValueError: If the outputs hold no attention, labels do not fit, or there are several
            entries and ``batch`` does not say which.
        TypeError: If ``outputs`` is nothing that a model returned, or a tokenizer is missing.

    Warns:
        UserWarning: If some of the attention is no map of positions, or some layers have none.
    """
    held = contents(outputs, batch)
    for note in held.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    inputs: object = None
    if is_inputs(queries):
        inputs, queries = queries, None
    if input_ids is not None:
        inputs = {"input_ids": input_ids}
    queries, keys = _sides(held, inputs, queries, keys, tokenizer, attention_mask, batch)
    made = {found.name: _labelled(found, held, queries, keys, name) for found in held.maps}
    return next(iter(made.values())) if len(made) == 1 else made


def _sides(
    held: Contents,
    inputs: object,
    queries: object,
    keys: object,
    tokenizer: object,
    attention_mask: object,
    batch: int | None,
) -> tuple[object, object]:
    """What the two sequences are, told from inputs and tokenizer where it isn't given."""
    generation = held.generation
    encodes = len(held.maps) > 1 and any(found.kind == "encoder" for found in held.maps)
    entry = batch
    if generation is not None and inputs is not None:
        entry = generation.entry_of(texts_in(inputs))
    if is_inputs(keys):
        keys = tokens_of(keys, tokenizer, batch=entry)
    if inputs is not None and encodes and keys is None:
        keys = tokens_of(inputs, tokenizer, batch=entry, attention_mask=attention_mask)
    if queries is not None:
        return queries, keys
    if generation is None:
        if inputs is not None and not encodes:
            queries = tokens_of(inputs, tokenizer, batch=entry, attention_mask=attention_mask)
    elif tokenizer is not None:
        padding = None if encodes else mask_of(inputs, attention_mask)
        queries = generation.tokens(tokenizer, padding, entry)
    elif inputs is not None and not encodes:
        raise TypeError("the inputs label only the prompt: give tokenizer= for what followed")
    return queries, keys


def _labelled(found: Held, held: Contents, queries: object, keys: object, name: str) -> Attention:
    """A map with those labels that belong to it."""
    source, generation, alone = found.source, held.generation, len(held.maps) == 1
    own = {"target": queries, "source": keys}.get(found.side or "")
    other = keys if found.crosses else None
    if alone:
        own, other = queries, keys
    if found.name != found.kind:
        # Of layers that differ in shape, labels fit some.
        own = own if length_of(own) == source.shape[2] else None
        other = other if length_of(other) == source.shape[3] else None
    try:
        if generation is not None and found.side == "target":
            own, same = generation.axes(queries, source, cross=found.crosses)
            other = other if found.crosses else same
        title = " ".join(filter(None, [name, "" if alone else found.name]))
        return Attention(source, own, other, name=title)
    except ValueError as error:
        raise ValueError(str(error) if alone else f"{found.name}: {error}") from None
