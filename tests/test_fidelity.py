"""Metrics against reference images: known values, the right order of degradations, and copies."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

import reggan
from reggan.metrics import REFERENCE_METRICS, compare, copies, memorizes, memory, shapes
from reggan.metrics.features import Featured
from reggan.metrics.fidelity import coverage, frechet, precision, recall, vendi

SIZE, COUNT = 32, 400


@pytest.fixture(scope="module")
def oracle():
    found = reggan.oracle("connected", SIZE)
    return reggan.render(found.spec, found.indices[: 2 * COUNT], seed=found.seed, size=SIZE, dtype=np.uint8)


@pytest.fixture(scope="module")
def reference(oracle):
    return Featured(oracle[::2])


def specks(images, many):
    spoiled = images.copy()
    random = np.random.default_rng(1)
    for image in spoiled:
        image.flat[random.choice(image.size, many, replace=False)] = 0
    return spoiled


DEGRADATIONS = {
    "blur": lambda images, level: reggan.gaussian_blur(images, [0.4, 0.8, 1.6][level]),
    "specks": lambda images, level: specks(images, [3, 9, 27][level]),
    "haze": lambda images, level: (images * [0.95, 0.85, 0.7][level]).astype(np.uint8),
    "thick": lambda images, level: ndimage.grey_erosion(images, (1, *[2 + level] * 2)),
    "thin": lambda images, level: ndimage.grey_dilation(images, (1, *[2 + level] * 2)),
    "shifted": lambda images, level: np.roll(images, [2, 5, 10][level], axis=1),
    "few": lambda images, level: np.repeat(images[: [80, 20, 5][level]], [5, 20, 80][level], axis=0),
}


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_features_rank_degradations(name, oracle, reference):
    rising = [Featured(oracle[1::2]), *(Featured(DEGRADATIONS[name](oracle[1::2], level)) for level in range(3))]
    distances = [frechet(images, reference) for images in rising]
    assert distances == sorted(distances)
    assert distances[1] > distances[0]
    assert distances[2] > 1.5 * distances[0]
    covered = [coverage(images, reference) for images in rising]
    assert covered[0] > 0.9
    assert covered[3] < covered[0] - 0.2


def test_the_same_images_are_as_near_as_can_be(reference):
    found = compare(reference.images, reference.images)
    assert found.keys() == REFERENCE_METRICS.keys()
    assert found["frechet"] == pytest.approx(0, abs=1e-3)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["vendi"] == pytest.approx(1)
    assert found["blob_size"] == found["blob_perimeter"] == found["edge_softness"] == 0


def test_other_images_of_the_same_distribution_are_near(oracle, reference):
    found = compare(oracle[1::2], reference.images)
    assert found["density"] == pytest.approx(1, abs=0.15)
    assert found["vendi"] == pytest.approx(1, abs=0.2)
    assert abs(found["kernel"]) < 0.1


def test_the_frechet_distance_of_known_gaussians(reference):
    shifted = Featured(reference.images)
    direction = torch.zeros(reference.features.shape[1], dtype=torch.float64)
    widest = reference.features.std(dim=0).argmax()
    direction[widest] = 2 * reference.features[:, widest].std()
    shifted.__dict__["features"] = reference.features + direction
    assert frechet(shifted, reference) == pytest.approx(4, abs=1e-3)


def test_precision_and_recall_know_which_side_lacks_something(oracle, reference):
    few = Featured(np.repeat(oracle[:8:2], 100, axis=0))
    assert precision(few, reference) == 1
    assert recall(few, reference) < 0.1
    assert vendi(few, reference) < 0.5


def test_distances_are_a_function_of_the_images(oracle):
    state = torch.random.get_rng_state()
    assert compare(oracle[:100], oracle[100:200]) == compare(oracle[:100], oracle[100:200])
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_wasserstein_distance_is_scipys():
    random = np.random.default_rng(0)
    for first, second in ((5, 5), (1, 9), (40, 7)):
        a, b = random.integers(0, 9, first), random.integers(3, 20, second)
        assert shapes.wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    assert shapes.wasserstein(np.zeros(0), np.zeros(0)) == 0
    assert math.isnan(shapes.wasserstein(np.zeros(0), np.zeros(1)))


def test_blobs_have_their_areas_perimeters_and_edges():
    images = np.full((2, 16, 16), 255, np.uint8)
    images[0, 0:2, 0:3] = 0
    images[0, 8, 8] = 100
    images[1, 4:8, 4:8] = 0
    images[1, 5, 5] = 255
    images[1, 12, 12] = 200
    assert sorted(shapes.blob_areas(images)) == [1, 6, 15]
    assert sorted(shapes.blob_perimeters(images)) == [4, 10, 20]
    assert shapes.edge_softness(images) == pytest.approx([1 / 14, 1 / 20])
    assert len(shapes.edge_softness(np.full((3, 16, 16), 255, np.uint8))) == 0


def test_copies_are_seen(oracle):
    training, held_out, new = oracle[:300], oracle[300:600], oracle[600:]
    assert not memorizes(*copies(new, training, held_out))
    nearly = np.clip(training.astype(int) + np.random.default_rng(0).integers(-2, 3, training.shape), 0, 255)
    assert copies(nearly.astype(np.uint8), training, held_out) == (1, pytest.approx(300**-0.5))
    assert memorizes(*copies(nearly.astype(np.uint8), training, held_out))
    assert copies(held_out, training, held_out)[0] == -1
    some = np.concatenate([training[:150], new[:50]])
    assert memorizes(*copies(some, training, held_out))


def test_distances_are_taken_in_parts_that_do_not_matter(oracle, monkeypatch):
    whole = copies(oracle[:50], oracle[:300], oracle[300:])
    monkeypatch.setattr(memory, "_DISTANCES", 50 * 7)
    assert copies(oracle[:50], oracle[:300], oracle[300:]) == whole


def test_simple_images_are_no_copies():
    """What has little ink is near to the same few images."""
    random = np.random.default_rng(0)
    rich = random.integers(0, 256, (2000, SIZE, SIZE)).astype(np.uint8)
    empty = random.normal(250, 2, (1000, SIZE, SIZE)).astype(np.uint8)
    assert not memorizes(*copies(empty, rich[::2], rich[1::2]))


def test_sets_that_cannot_be_compared_are_said_so(oracle):
    with pytest.raises(ValueError, match="10 of each"):
        compare(oracle[:9], oracle)
    with pytest.raises(ValueError, match="pixels"):
        compare(oracle[:, :16], oracle)
