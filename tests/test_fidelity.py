"""Metrics against reference images: known values, the right order of degradations, and copies."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

import reggan
from reggan.metrics import (
    REFERENCE_METRICS,
    Comparison,
    Featured,
    compare,
    comparison,
    copies,
    memorizes,
    memory,
    shapes,
)
from reggan.metrics.features import RandomFeatures
from reggan.metrics.fidelity import coverage, density, frechet, kernel, precision, recall, vendi

SIZE, COUNT = 32, 400
SHAPES = ("blob_size", "blob_perimeter", "edge_softness")


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
    distances = [frechet(Comparison(images, reference)) for images in rising]
    assert distances == sorted(distances)
    assert distances[1] > distances[0]
    assert distances[2] > 1.5 * distances[0]
    covered = [coverage(Comparison(images, reference)) for images in rising]
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
    assert frechet(Comparison(shifted, reference)) == pytest.approx(4, abs=1e-3)


def test_the_kernel_distance_is_the_mean_over_pairs_of_different_images(oracle):
    # Two sets of up to 500 images are their only subsets.

    def similar(a, b):
        return np.mean([(u @ v / len(u) + 1) ** 3 for u in a for v in b if u is not v])

    comparison = Comparison(Featured(oracle[:40]), Featured(255 - oracle[40:80]))
    x, y = (list(features.numpy()) for features in comparison.features)
    assert kernel(comparison) == pytest.approx(similar(x, x) + similar(y, y) - 2 * similar(x, y))


def test_precision_and_recall_know_which_side_lacks_something(oracle, reference):
    few = Comparison(Featured(np.repeat(oracle[:8:2], 100, axis=0)), reference)
    assert precision(few) == 1
    assert recall(few) < 0.1
    assert vendi(few) < 0.5


CONSTANT = np.full((20, SIZE, SIZE), 255, np.uint8)
CONSTANT[:, 8:16, 8:20] = 0


@pytest.mark.parametrize("count", [10, 20, 257, 300])
def test_references_that_are_all_alike_are_compared_in_units_of_the_least_spread(oracle, count):
    reference = np.repeat(CONSTANT[:1], count, axis=0)
    same = compare(CONSTANT, reference)
    assert same["frechet"] == same["kernel"] == 0
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert same["density"] == count / comparison.NEIGHBORS
    assert same["blob_size"] == same["blob_perimeter"] == same["edge_softness"] == 0
    # Directions around the mean of what does not vary are those of rounding.
    assert math.isnan(same["vendi"])
    other = compare(oracle[:20], reference)
    assert other["frechet"] > compare(np.concatenate([CONSTANT[:19], oracle[:1]]), reference)["frechet"] > 0
    assert other["precision"] == other["coverage"] == other["density"] == 0
    assert all(math.isfinite(value) for name, value in other.items() if name != "vendi")


@pytest.mark.parametrize("gray", [0, 255])
def test_blank_images_and_blank_references_have_figures(oracle, gray):
    blank = np.full((12, SIZE, SIZE), gray, np.uint8)
    for images, reference in ((blank, oracle[:20]), (oracle[:20], blank), (blank, blank)):
        found = compare(images, reference)
        undefined = {name for name, value in found.items() if not math.isfinite(value)}
        alike = {"vendi"} if reference is blank else set()
        without = {"blob_size", "blob_perimeter", "edge_softness"} if gray == 255 and images is not reference else set()
        assert undefined == alike | without


def test_no_number_that_is_not_finite_comes_to_linear_algebra(reference):
    spoiled = Featured(reference.images)
    spoiled.__dict__["features"] = reference.features.clone().index_fill_(1, torch.tensor([3]), torch.nan)
    for metric in (frechet, kernel, precision, recall, density, coverage, vendi):
        for images, references in ((spoiled, reference), (reference, spoiled)):
            with pytest.raises(ArithmeticError, match="are not finite"):
                metric(Comparison(images, references))
    assert math.isnan(frechet(Comparison(Featured(CONSTANT[:1]), reference)))
    assert math.isnan(kernel(Comparison(Featured(CONSTANT[:1]), reference)))


def test_equal_images_are_at_no_distance_whatever_rounding_says():
    some = reggan.render(reggan.Circles(), 60, size=SIZE, dtype=np.uint8)
    random = np.random.default_rng(0)
    images = some[random.integers(0, 3, 150)]
    sets = Comparison(Featured(images), Featured(some[np.concatenate([random.integers(0, 3, 200), np.arange(60)])]))
    found, reference = sets.features
    exact = partial(torch.cdist, reference, compute_mode="donot_use_mm_for_euclid_dist")
    radii = exact(reference).sort(dim=1).values[:, comparison.NEIGHBORS]
    assert (radii == 0).any()
    near = exact(found) <= radii[:, None]
    assert coverage(sets) == near.any(dim=1).double().mean()
    assert density(sets) == pytest.approx(float(near.sum() / len(images) / comparison.NEIGHBORS))
    assert precision(sets) == 1


def test_distances_by_blocks_are_those_of_all_at_once(oracle, monkeypatch):
    """Whatever the number of images, there is a limit to the distances in memory."""
    sets = Featured(oracle[:150]), Featured(oracle[150:270])
    metrics = (precision, recall, density, coverage)
    whole = Comparison(*sets)
    values = [metric(whole) for metric in metrics]
    taken, cdist = [], torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda a, b: taken.append(len(a) * len(b)) or cdist(a, b))
    monkeypatch.setattr(comparison, "_MAX_DISTANCES", 7 * 150)
    blocks = Comparison(*sets)
    assert [metric(blocks) for metric in metrics] == values
    assert max(taken) <= 7 * 150
    # Each distance is computed once: within each set, and between the sets from either side.
    assert sum(taken) == 150**2 + 120**2 + 2 * 150 * 120
    found, reference = whole.features
    radii, others = (cdist(each, each).kthvalue(comparison.NEIGHBORS + 1, dim=1).values for each in (reference, found))
    near = cdist(found, reference) <= radii
    assert (blocks.references_near == near.sum(dim=1)).all()
    assert (blocks.covered == near.any(dim=0)).all()
    assert (blocks.recalled == (cdist(reference, found) <= others).any(dim=1)).all()


def test_shapes_are_measured_by_blocks(oracle, monkeypatch):
    sets = Comparison(Featured(oracle[:50]), Featured(oracle[50:90]))
    whole = [REFERENCE_METRICS[name](sets) for name in SHAPES]
    monkeypatch.setattr(shapes, "_BATCH", 7)
    assert [REFERENCE_METRICS[name](sets) for name in SHAPES] == whole


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
    monkeypatch.setattr(memory, "_MAX_DISTANCES", 50 * 7)
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


@pytest.mark.parametrize("shape", [(14, 14), (8, 40)])
def test_small_images_are_compared_with_margins(shape):
    random = np.random.default_rng(0)
    images = np.where(random.random((60, *shape)) < 0.5, 0, 255).astype(np.uint8)
    found = RandomFeatures().of(images)
    assert found.isfinite().all()
    top, left = (max(16 - side, 0) // 2 for side in shape)
    padded = np.full((60, max(16, shape[0]), max(16, shape[1])), 255, np.uint8)
    padded[:, top : top + shape[0], left : left + shape[1]] = images
    assert torch.equal(found, RandomFeatures().of(padded))
    assert math.isfinite(compare(images[:30], images[30:])["frechet"])
