"""The samples on images: where their positions lie, where the truth is, and what docs promise."""

from __future__ import annotations

import numpy as np
import pytest

from attn_widget import Attention, Axis, Boxes, Patches, samples
from attn_widget.samples import Truth

PHOTOGRAPHS = range(6)
SHAPES = range(10)
CAPTIONS = range(12)
DETECTIONS = range(12)

RECOGNITION = [samples.recognition(index) for index in PHOTOGRAPHS] + [
    samples.recognition(index, model="shapes") for index in SHAPES
]
RELEVANCE = [
    samples.recognition_relevance(index, model=model, method=method)
    for model, indices, methods in (
        ("photographs", PHOTOGRAPHS, ("relevance", "rollout")),
        ("shapes", SHAPES, ("relevance", "gradcam", "rollout")),
    )
    for method in methods
    for index in indices
]
CAPTIONING = [
    samples.captioning(index, model=model)
    for model in ("additive", "transformer")
    for index in CAPTIONS
]
DETECTION = [samples.detection(index) for index in DETECTIONS]


def patches_of(axis: Axis) -> Patches:
    (patches,) = (segment for segment in axis.segments if isinstance(segment, Patches))
    return patches


@pytest.mark.parametrize("attention", [*RECOGNITION, *CAPTIONING, *DETECTION], ids=repr)
def test_maps_are_probabilities_on_an_image(attention: Attention) -> None:
    weights = np.asarray(attention)
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=6e-4)
    assert attention.kind == "weight"
    assert attention.dtype == np.float16
    assert attention.keys.has_image


@pytest.mark.parametrize("attention", RELEVANCE, ids=repr)
def test_relevance_says_what_it_is(attention: Attention) -> None:
    assert attention.kind == "relevance"
    assert attention.shape[:2] == (1, 1)
    assert np.asarray(attention).min() >= 0


def test_shapes() -> None:
    assert {map.shape for map in RECOGNITION[:6]} == {(3, 4, 51, 51)}
    assert {map.shape for map in RECOGNITION[6:]} == {(3, 4, 1, 67)}
    words = [9, 9, 8, 9, 9, 9, 9, 9, 9, 8, 9, 9]
    assert [map.shape for map in CAPTIONING[:12]] == [(1, 1, count, 64) for count in words]
    assert [map.shape for map in CAPTIONING[12:]] == [(2, 4, count, 64) for count in words]
    assert {map.shape for map in DETECTION} == {(3, 4, 8, 64)}


def test_photographs_are_wider_than_high_and_patches_tile_them() -> None:
    for attention in RECOGNITION[:6]:
        assert attention.keys is attention.queries
        assert attention.keys.special == (0, 1, 2)
        patches = patches_of(attention.keys)
        assert (patches.rows, patches.cols) == (6, 8)
        assert patches.image is not None
        assert patches.image.shape == (96, 128, 3)
        regions = patches.regions
        assert regions is not None
        np.testing.assert_array_equal(regions[0], [0, 0, 16, 16])
        np.testing.assert_array_equal(regions[8], [0, 16, 16, 32])
        np.testing.assert_array_equal(regions[47], [112, 80, 128, 96])


@pytest.mark.parametrize(
    ("truths", "attention"),
    [
        *(
            (
                samples.recognition_truth(index, model=model),
                samples.recognition_relevance(index, model=model),
            )
            for model, indices in (("photographs", PHOTOGRAPHS), ("shapes", SHAPES))
            for index in indices
        ),
        *((samples.captioning_truth(index), samples.captioning(index)) for index in CAPTIONS),
        *((samples.detection_truth(index), samples.detection(index)) for index in DETECTIONS),
    ],
)
def test_truth_fits_its_map(truths: list[Truth], attention: Attention) -> None:
    assert truths
    image = patches_of(attention.keys).image
    assert image is not None
    queries = [truth.query for truth in truths]
    assert queries == sorted(set(queries))
    assert queries[-1] < attention.shape[2]
    for truth in truths:
        assert truth.mask.dtype == bool
        assert truth.mask.shape == image.shape[:2]
        assert 50 < truth.mask.sum() < truth.mask.size / 3


def test_masks_have_the_colour_of_their_label() -> None:
    """Where a sticker is red, red is its strongest channel: masks lie the right way round."""
    strongest = {"red": 0, "green": 1, "blue": 2}
    seen = 0
    for index in PHOTOGRAPHS:
        image = patches_of(samples.recognition(index).keys).image
        assert image is not None
        for truth in samples.recognition_truth(index):
            channel = strongest.get(truth.label.split()[0])
            if channel is not None:
                assert image[truth.mask].mean(axis=0).argmax() == channel
                seen += 1
    assert seen >= 3


def test_relevance_has_a_query_for_each_colour() -> None:
    relevance = samples.recognition_relevance(0)
    assert relevance.queries.labels == ("red", "yellow", "purple")
    assert [truth.label for truth in samples.recognition_truth(0)] == [
        "red square",
        "yellow circle",
        "purple triangle",
    ]


def test_words_that_come_twice_keep_their_own_thing() -> None:
    labels = samples.captioning(6).queries.labels
    assert labels == ("a", "red", "star", "right", "of", "a", "black", "star", "</s>")
    _, first, _, second = samples.captioning_truth(6)
    assert (first.query, second.query) == (2, 7)
    assert first.label == second.label == "star"
    assert not (first.mask & second.mask).any()


def test_boxes_that_found_a_thing_surround_it() -> None:
    for index in DETECTIONS:
        boxes = samples.detection(index).queries.segments[0]
        assert isinstance(boxes, Boxes)
        truths = {truth.query: truth for truth in samples.detection_truth(index)}
        for query, (box, label) in enumerate(zip(boxes.regions, boxes.labels, strict=True)):
            assert box.min() >= 0
            assert box.max() <= 64
            if query not in truths:
                continue
            shape, score = label.rsplit(" ", 1)
            assert shape == truths[query].label.split()[1]
            assert float(score) > 0.5
            rows, columns = np.nonzero(truths[query].mask)
            thing = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            np.testing.assert_allclose(box, thing, atol=5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: samples.recognition(6), r"recognition \(photographs\) must be 0 to 5; got 6"),
        (lambda: samples.recognition_truth(-1), "must be 0 to 5; got -1"),
        (lambda: samples.recognition(10, model="shapes"), "must be 0 to 9; got 10"),
        (lambda: samples.recognition(model="cats"), "one of photographs, shapes; got 'cats'"),
        (
            lambda: samples.recognition_relevance(method="gradcam"),
            "method for photographs must be one of relevance, rollout; got 'gradcam'",
        ),
        (lambda: samples.captioning(12), "index of a caption must be 0 to 11; got 12"),
        (lambda: samples.captioning(model="lstm"), "one of additive, transformer; got 'lstm'"),
        (lambda: samples.captioning_truth(12), "index of a caption must be 0 to 11; got 12"),
        (lambda: samples.detection(12), "index of a detection must be 0 to 11; got 12"),
        (lambda: samples.detection_truth(12), "index of a detection must be 0 to 11; got 12"),
    ],
)
def test_what_is_not_there_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
