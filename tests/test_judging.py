"""Two-sample tests, estimated parameters and intervals: what they see, and what they depend on."""

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from torch import Tensor

import reggan
from reggan.metrics import Comparison, compare_parameters, intervals, two_sample
from reggan.metrics.fidelity import coverage, frechet, frechet_to
from reggan.metrics.parameters import estimate_parameters, kolmogorov_smirnov
from reggan.metrics.ridge import Ridge

SIZE, COUNT = 32, 2000
TESTS = [two_sample.masks, two_sample.gray]
CIRCLES = reggan.Circles()


def drawn(seed, count=COUNT, *, size=SIZE, spec=CIRCLES):
    return reggan.render(spec, count, seed=seed, size=size, dtype=np.uint8)


@pytest.fixture(scope="module")
def oracles():
    """Obeying images of two seeds."""
    found = (reggan.oracle("connected", SIZE, sealed=sealed) for sealed in (True, False))
    return [reggan.render(each.spec, each.indices, seed=each.seed, size=SIZE, dtype=np.uint8) for each in found]


# Two-sample tests


@pytest.mark.parametrize("test", TESTS)
def test_images_of_the_same_distribution_are_recognized_by_chance(test, oracles):
    assert test(Comparison.of(*oracles)) == pytest.approx(0.5, abs=0.02)
    assert test(Comparison.of(oracles[0], oracles[0])) == 0.5


def specks(images):
    """A faint dot of 2 x 2 pixels in 30 % of the images."""
    random, spoiled = np.random.default_rng(0), images.copy()
    for image in spoiled[: 3 * len(images) // 10]:
        y, x = random.integers(0, SIZE - 1, 2)
        image[y : y + 2, x : x + 2] = np.minimum(image[y : y + 2, x : x + 2], 150)
    return spoiled


def test_faint_specks_are_seen_where_coverage_is_blind(oracles):
    images, reference = oracles
    spoiled = Comparison.of(specks(images), reference)
    assert coverage(spoiled) == pytest.approx(coverage(Comparison.of(images, reference)), abs=0.005)
    assert two_sample.gray(spoiled) > 0.53
    assert two_sample.masks(spoiled) == two_sample.masks(Comparison.of(images, reference))


def test_haze_of_three_gray_levels_is_seen_in_gray_and_not_in_masks(oracles):
    images, reference = oracles[0][:500], oracles[1][:500]
    hazy = Comparison.of(np.minimum(images, 252), reference)
    assert two_sample.gray(hazy) > 0.95
    assert two_sample.masks(hazy) == two_sample.masks(Comparison.of(images, reference))


def test_missing_ink_is_seen():
    """Of the discs, those that are a fifth smaller."""
    reference = drawn(1, 500)
    smaller = Comparison.of(drawn(2, 500, spec=reggan.Circles(radius=(1.6, 5.6))), reference)
    assert two_sample.masks(smaller) > 0.7
    assert two_sample.gray(smaller) > 0.7


@pytest.mark.parametrize("test", TESTS)
def test_few_images_over_and_over_are_recognized(test):
    assert test(Comparison.of(np.repeat(drawn(1, 5), 40, axis=0), drawn(2, 200))) > 0.9


@pytest.mark.parametrize("test", TESTS)
def test_accuracy_depends_on_neither_order_nor_side(test):
    images, reference = drawn(1, 150), drawn(2, 120)
    found = test(Comparison.of(images, reference))
    assert test(Comparison.of(images, reference)) == found
    random = np.random.default_rng(0)
    assert test(Comparison.of(random.permutation(images), random.permutation(reference))) == found
    assert test(Comparison.of(reference, images)) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("size", [16, (28, 40), 64])
def test_images_of_all_sizes_are_compared(test, size):
    same = test(Comparison.of(drawn(1, 300, size=size), drawn(2, 300, size=size)))
    dense = reggan.Circles(count=(20, 25))
    other = test(Comparison.of(drawn(1, 300, size=size, spec=dense), drawn(2, 300, size=size)))
    assert same == pytest.approx(0.5, abs=0.08)
    assert other > 0.7


def test_color_is_seen_in_all_channels_and_not_in_masks():
    spec = reggan.Polygons(color=True)
    images, reference = drawn(1, 200, spec=spec), drawn(2, 200, spec=spec)
    swapped = images[:, [1, 2, 0]] // 2 + images // 2
    assert two_sample.gray(Comparison.of(swapped, reference)) > two_sample.gray(Comparison.of(images, reference)) + 0.2
    assert two_sample.masks(Comparison.of(images[:, ::-1].copy(), reference)) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("count", [10, 13])
def test_blank_images_are_recognized_whatever_their_number(count):
    blank, images = np.full((count, SIZE, SIZE), 255, np.uint8), drawn(1, count)
    for test in TESTS:
        assert test(Comparison.of(blank, blank)) == 0.5
        assert test(Comparison.of(blank, images)) > 0.8


def test_ridge_regression_is_the_solution_of_its_normal_equations():
    random = np.random.default_rng(0)
    features, targets = random.normal(3, 2, (50, 4)), random.normal(size=(50, 2))
    fitted = Ridge.fit(torch.from_numpy(features), torch.from_numpy(targets))
    inputs = (features - features.mean(0)) / features.std(0, ddof=1)
    # A penalty is as good as rows that ask for weights of 0.
    rows = np.concatenate([inputs, np.sqrt(0.03 * 50) * np.eye(4)])
    weights, *_ = np.linalg.lstsq(rows, np.concatenate([targets - targets.mean(0), np.zeros((4, 2))]), rcond=None)
    np.testing.assert_allclose(fitted(torch.from_numpy(features)), inputs @ weights + targets.mean(0))


# Parameters


def test_parameters_are_estimated_from_other_images():
    truth = reggan.ground_truth(CIRCLES, 500, seed=3, size=SIZE)
    found = estimate_parameters(drawn(3, 500), CIRCLES)
    expected = (truth.count, np.nanmean(truth.radii, axis=1), truth.sigma)
    for estimates, values, explained in zip(found.T, expected, (0.5, 0.5, 0.95), strict=True):
        assert 1 - np.mean((estimates - values) ** 2) / values.var() > explained


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("ks_count", reggan.Circles(count=(16, 18))),
        ("ks_radius", reggan.Circles(radius=(3.5, 7.0))),
        ("ks_blur", reggan.Circles(blur=(1.5, 2.5))),
    ],
)
def test_each_statistic_knows_its_parameter(name, spec):
    same = compare_parameters(Comparison.of(drawn(1, 500), drawn(2, 500)), CIRCLES)
    other = compare_parameters(Comparison.of(drawn(1, 500, spec=spec), drawn(2, 500)), CIRCLES)
    assert max(same.values()) < 0.1
    assert other[name] > 0.3


def test_parameters_that_the_spec_fixes_are_equal():
    spec = reggan.Circles(count=(5, 5), blur=(0.7, 0.7))
    found = compare_parameters(Comparison.of(drawn(1, 50, spec=spec), drawn(2, 50, spec=spec)), spec)
    assert found["ks_count"] == found["ks_blur"] == 0
    assert found["ks_radius"] > 0


def test_the_kolmogorov_smirnov_statistic_is_scipys():
    random = np.random.default_rng(0)
    for first, second in ((5, 5), (1, 9), (40, 7)):
        a, b = random.integers(0, 9, first), random.integers(3, 20, second)
        assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


# Intervals


def test_the_frechet_distance_is_that_of_matrix_roots():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(80, 6)) @ random.normal(size=(6, 6)), random.normal(1, 2, (50, 6))
    covariances = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(covariances[0] @ covariances[1])
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    expected = apart + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_to(torch.from_numpy(second))(torch.from_numpy(first)) == pytest.approx(expected)


def test_intervals_hold_the_value_and_shrink_with_more_images():
    widths = []
    for count in (100, 400):
        sets = Comparison.of(drawn(1, count), drawn(2, count))
        found = intervals(sets)
        assert intervals(sets) == found
        for name, metric in (("coverage", coverage), ("frechet", frechet)):
            low, high = found[name]
            assert low < metric(sets) < high
        widths.append([high - low for low, high in found.values()])
    assert np.all(np.array(widths[1]) < 0.7 * np.array(widths[0]))


def test_intervals_are_as_wide_as_new_draws_are_spread():
    def sets(k: int) -> Comparison:
        images = reggan.render(CIRCLES, range(300 * k, 300 * (k + 1)), seed=1, size=SIZE, dtype=np.uint8)
        images[:100] = reggan.gaussian_blur(images[:100], 1.2)
        return Comparison.of(images, drawn(k + 2, 300))

    drawn_anew = [sets(k) for k in range(25)]
    widths = {name: high - low for name, (low, high) in intervals(drawn_anew[0]).items()}
    for name, metric in (("coverage", coverage), ("frechet", frechet)):
        spread = 2 * 1.96 * np.std([metric(each) for each in drawn_anew], ddof=1)
        assert 0.6 < widths[name] / spread < 1.7


def test_intervals_have_no_draws_in_common_with_the_global_generator():
    state: Tensor = torch.random.get_rng_state()
    intervals(Comparison.of(drawn(1, 20), drawn(2, 20)))
    assert torch.equal(state, torch.random.get_rng_state())
