from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from unet_core.data.pairs import Pair
from unet_core.imaging import metrics
from unet_core.scoring import comparison, evaluation
from unet_core.scoring.comparison import Side

ABOUT = {"data": "dsb2018", "split": "test", "scheme": "stardist"}


def row(name: str, true: int, pred: int, tp: int, **more: Any) -> dict[str, Any]:
    """What `evaluate` says of an image."""
    f1 = 2 * tp / (true + pred) if true + pred else None
    return {"name": name, "n_true": true, "n_pred": pred, "f1": f1} | more


def document(rows: Sequence[dict[str, Any]], **about: Any) -> dict[str, Any]:
    return {**ABOUT, "pooled": [{"iou": 0.5}], "per_image": list(rows)} | about


def found(hits: Sequence[int], *, true: int = 9) -> dict[str, Any]:
    """An evaluation that found so many objects of each image, and nothing else."""
    return document([row(str(index), true, tp, tp) for index, tp in enumerate(hits)])


def side(name: str, *documents: dict[str, Any]) -> Side:
    return Side(name=name, documents=documents)


def test_the_difference_is_the_seconds_mean_minus_the_firsts() -> None:
    one = side("a", found([4, 5, 6]), found([5, 5, 6]))
    other = side("b", found([7, 7, 9]))
    told = comparison.compare(one, other)
    f1 = [2 * hits / (27 + hits) for hits in (15, 16, 23)]
    assert told["measure"] == "f1"
    assert told["first"]["scores"] == pytest.approx(f1[:2])
    assert told["difference"] == pytest.approx(f1[2] - (f1[0] + f1[1]) / 2)
    assert told["low"] < told["difference"] < told["high"]
    deviation = float(np.std(f1[:2], ddof=1))
    assert told["noise"] == pytest.approx(2 * deviation * (1 / 2 + 1) ** 0.5)
    assert told["images"] == 3


def test_the_counts_of_real_evaluations_come_back_exactly(rng: np.random.Generator) -> None:
    documents = []
    for _ in range(2):
        pairs = [
            Pair(str(index), *rng.integers(0, 5, (2, 8, 8)).repeat(6, 1).repeat(6, 2))
            for index in range(4)
        ]
        documents.append({**ABOUT, **evaluation.score(pairs)})
        rng = np.random.default_rng(0)  # the same truth again, and the same prediction
    for measure in ("f1", "ap"):
        told = comparison.compare(side("a", documents[0]), side("b", documents[1]), measure)
        assert told["first"]["mean"] == pytest.approx(documents[0]["pooled"][0][measure])


def test_order_does_not_matter_names_do() -> None:
    whole = found([4, 5, 6])
    turned = document(whole["per_image"][::-1])
    assert comparison.compare(side("a", whole), side("b", turned))["difference"] == 0


def test_classes_are_compared_by_the_mean_iou_of_their_added_tables() -> None:
    tables = np.array([[[5, 1], [0, 4]], [[6, 0], [2, 2]]])
    better = np.array([[[6, 0], [0, 4]], [[6, 0], [1, 3]]])
    sides = [
        side(name, document([{"name": str(index), "confusion": one.tolist()}
             for index, one in enumerate(found)], pooled=[]))
        for name, found in (("a", tables), ("b", better))
    ]  # fmt: skip
    told = comparison.compare(*sides)
    assert told["measure"] == "mean_iou"
    for key, found in (("first", tables), ("second", better)):
        expected = metrics.iou_per_class(found.sum(0)).mean()
        assert told[key]["mean"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="a tells classes, and f1 is for objects"):
        comparison.compare(*sides, "f1")


def test_membranes_are_compared_by_mean_iou_unless_told_otherwise() -> None:
    assert comparison.usual_measure(document([], membranes={})) == "mean_iou"
    assert comparison.usual_measure(document([])) == "f1"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (found([5, 5]), "a was measured on 3 images .dsb2018 test, .*, b on 2 images"),
        (found([5, 5, 5]) | {"data": "isbi2012"}, "b on 3 images .isbi2012 test.*the same images"),
        (found([5, 5, 5], true=8), "measured against another truth"),
        ({**ABOUT, "pooled": [{}]}, "the evaluation of b has no scores of single images: evaluate"),
        (
            document([{"name": str(index), "ap": 0.5} for index in range(3)]),
            "the evaluation of b is of an older version.*no counts for f1; evaluate it again",
        ),
        (found([5, 5, 5]) | {"per_image": [3]}, "no scores of single images"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence(other: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        comparison.compare(side("a", found([5, 6, 7])), side("b", other))
    assert "\n" not in str(caught.value)


def test_one_image_is_too_few_and_an_unknown_measure_is_named() -> None:
    one = side("a", found([5])), side("b", found([6]))
    with pytest.raises(ValueError, match="compare on at least 2"):
        comparison.compare(*one)
    with pytest.raises(ValueError, match="measure must be one of f1, ap, mean_iou, got 'dice'"):
        comparison.compare(*one, "dice")
    nothing = document([row(name, 0, 0, 0) for name in "xy"])
    with pytest.raises(ValueError, match="hold an object: nothing to compare"):
        comparison.compare(side("a", nothing), side("b", nothing))
    with pytest.raises(ValueError, match="no counts for mean_iou"):
        comparison.compare(side("a", found([5, 5])), side("b", found([6, 5])), "mean_iou")


def test_the_sentences_part_images_from_seeds() -> None:
    low, high = [found([hits] * 8) for hits in (4, 8)]
    mixed = found([2, 8, 2, 8, 2, 8, 2, 6])
    text = " ".join(comparison.sentences(comparison.compare(side("a", low), side("b", high))))
    assert "b scores 0.326 more than a" in text
    assert "Zero lies outside" in text
    assert "train repeats to learn it" in text
    text = " ".join(comparison.sentences(comparison.compare(side("a", low), side("b", mixed))))
    assert "Zero lies within: these images do not show which of the two is better" in text
    noisy = comparison.compare(side("a", low, high), side("b", mixed, low))
    text = " ".join(comparison.sentences(noisy))
    assert "a rough bound from 2 seeds: this is noise." in text
    calm = comparison.compare(side("a", low, low), side("b", high))
    assert "It is larger than the 0.000" in " ".join(comparison.sentences(calm))
    same = comparison.compare(side("a", low), side("b", low))
    assert comparison.sentences(same)[0].startswith("b and a score the same.")
