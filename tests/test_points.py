"""Points of mixtures: the data, what is counted of them, and the recipes that make them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import POINT_RECIPES, lines, make_trainer, tiny, tiny_points, train

from reggan import evaluate, generate
from reggan.data import MIXTURES, Points, load_batches
from reggan.metrics.modes import high_quality, modes, reverse_kl, wasserstein
from reggan.modalities import PointModality
from reggan.presets import preset


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_has_as_many_modes_as_its_name_says_and_points_around_them(name):
    mixture = MIXTURES[name]
    assert len(mixture.centers) == int(name.rpartition("-")[2])
    points = Points(name).open().fetch(np.arange(20_000)).numpy()
    centers, _ = mixture.nearest(points)
    away = points - mixture.centers[centers]
    assert np.abs(away.mean(axis=0)).max() < 0.05 * mixture.std
    assert away.std(axis=0) == pytest.approx(mixture.std, rel=0.05)
    assert np.bincount(centers) / 20_000 == pytest.approx(1 / len(mixture.centers), rel=0.2)


@settings(deadline=None)
@given(st.integers(0, 5000), st.integers(1, 50), st.integers(0, 2**40))
def test_a_point_is_a_function_of_seed_and_position(start, count, seed):
    data = Points("grid-25", seed=seed).open()
    points = data.fetch(np.arange(start, start + count))
    for k in (0, count - 1):
        assert torch.equal(data.fetch(np.array([start + k]))[0], points[k])


def test_workers_change_no_point():
    data = Points().open()
    alone, shared = (load_batches(data, 16, start=3, workers=workers) for workers in (0, 2))
    for _ in range(4):
        assert torch.equal(next(alone), next(shared))


def test_a_mixture_that_is_not_known_is_said():
    with pytest.raises(ValueError, match="mixture is 'ring-9', must be 'grid-25', "):
        Points("ring-9")


# Metrics


def test_modes_and_quality_are_counted_within_three_deviations():
    ring, aside = MIXTURES["ring-8"], np.array([[1.0, 0.0]])
    points = np.concatenate([ring.centers[:3], ring.centers[3:4] + 0.029 * aside, ring.centers[4:5] + 0.031 * aside])
    assert modes(points, ring) == 4
    assert high_quality(points, ring) == pytest.approx(0.8)
    modality = PointModality(ring)
    assert modality.scores(points.astype(np.float32)).tolist() == [1, 1, 1, 1, 0]
    assert modality.summarize(points)["modes"] == 4


def test_the_reverse_kl_is_zero_of_equal_parts_and_log_k_of_a_single_mode():
    grid = MIXTURES["grid-25"]
    assert reverse_kl(grid.centers, grid) == pytest.approx(0, abs=1e-12)
    assert reverse_kl(grid.centers[[7, 7]], grid) == pytest.approx(np.log(25))
    uneven = reverse_kl(grid.centers[[0, 0, 0, 1]], grid)
    assert uneven == pytest.approx(0.75 * np.log(0.75 * 25) + 0.25 * np.log(0.25 * 25))


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(-3, 3))
def test_the_wasserstein_distance_is_scipys(values, shift):
    from scipy.stats import wasserstein_distance

    points = np.array(values)[:, None]
    others = np.cos(3 * points) + shift
    assert wasserstein(points, others) == pytest.approx(wasserstein_distance(points[:, 0], others[:, 0]), abs=1e-9)


def test_a_single_point_has_no_distance_in_deviations():
    modality = PointModality(MIXTURES["normal-2"])
    assert np.isnan(modality.summarize(np.zeros((1, 1), np.float32))["wasserstein"])
    assert modality.summarize(np.zeros((2, 1), np.float32))["wasserstein"] > 0


# Recipes


@pytest.mark.parametrize("recipe", POINT_RECIPES)
@pytest.mark.parametrize("mixture", ["normal-2", "ring-8"])
def test_points_are_trained_drawn_generated_and_evaluated(tmp_path, capsys, recipe, mixture):
    run = tmp_path / "run"
    summary = train(run, tiny_points(recipe, mixture))
    assert summary["data"]["score"] > 0.98
    assert summary["data"]["modes"] == int(mixture[-1])
    assert ("wasserstein" in summary["data"]) == (mixture == "normal-2")
    assert {path.name for path in (run / "samples").iterdir()} == {"data.png", "step-00000004.png", "step-00000006.png"}
    assert generate.main([str(run), "-n", "7", "--out", str(tmp_path / "made")]) == 0
    assert np.load(tmp_path / "made" / "points.npy").shape == (7, MIXTURES[mixture].centers.shape[1])
    assert (tmp_path / "made" / "sheet.png").exists()
    assert evaluate.main([str(run), "--n", "200"]) == 0
    assert "| modes found | " in (run / "evaluation.md").read_text()
    capsys.readouterr()


@pytest.mark.parametrize("recipe", POINT_RECIPES)
def test_a_short_training_brings_points_nearer_to_the_data(tmp_path, recipe):
    config = tiny_points(recipe, "normal-1", steps=200, ema=0.9, batch_size=64, eval_every=20, sample_every=200)
    options = {"width": 32, "lr": 1e-3} | ({"clip": 0.1} if recipe == "wgan" else {})
    config = replace(config, recipe=replace(config.recipe, **options))
    trainer = make_trainer(config)
    before = trainer.modality.summarize(trainer.sample(1024, "summary"))["wasserstein"]
    train(tmp_path / "run", config)
    after = [line["samples/wasserstein"] for line in lines(tmp_path / "run") if "samples/wasserstein" in line]
    assert np.median(after[-3:]) < 0.5 * before


def test_a_recipe_that_makes_images_says_so():
    with pytest.raises(ValueError, match="Harvest makes images, and the data are points"):
        replace(tiny("harvest"), data=Points())
    assert preset("points", "gan").data == Points()


def test_no_preset_of_images_has_a_recipe_of_points():
    with pytest.raises(ValueError, match="recipe 'toy-1d' has no preset 'quick'; it has points"):
        preset("quick", "toy-1d")
