"""Evaluation of a run: what is written, what the references are, and that good images are told from others."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_training import tiny, train

import reggan
from reggan import evaluate as command
from reggan.config import TrainConfig
from reggan.data import Files, RenderedImages
from reggan.evaluate import evaluate, held_out_images, reference_images
from reggan.rules import RULES, resolve_rule
from reggan.runs import RunDirectory
from reggan.sampler import Sampler

RULE = RULES["connected"]
pytestmark = pytest.mark.usefixtures("in_short")


@pytest.fixture(scope="module")
def config() -> TrainConfig:
    return tiny()


def test_a_run_gets_its_table_and_its_figures(config, tmp_path, capsys):
    run = tmp_path / "run"
    train(run, config)
    assert command.main([str(run), "--n", "100"]) == 0
    printed = capsys.readouterr().out
    table, time = printed.rsplit("\n\n", 1)
    assert table + "\n" == (run / "evaluation.md").read_text()
    assert re.fullmatch(r"Seconds for 1,000 images that obey, made on cpu: ([\d.e+]+|–)\.\n", time)
    found = json.loads((run / "evaluation.json").read_text())
    assert found["reference"].startswith("oracle: 100")
    for column in ("data", "generator"):
        figures = found[column]
        assert sum(figures["histograms"]["score"]) == sum(figures["histograms"]["components"]) == 100
        low, high = figures["intervals"]["coverage"]
        assert f"| {figures['coverage']:.3f} [{low:.3f}, {high:.3f}] |" in printed
        assert low <= figures["coverage"] <= high
        assert {"ks_count", "ks_radius", "ks_blur", "two_sample_masks", "two_sample_gray"} <= figures.keys()
        assert figures["honesty_gap"] == pytest.approx(figures["expected_score"] - figures["score"])
    assert found["data"]["obeying"] == 0
    assert found["data"]["coverage"] > found["generator"]["coverage"]
    first = (run / "evaluation.json").read_bytes()
    assert command.main([str(run), "--n", "100"]) == 0
    assert (run / "evaluation.json").read_bytes() == first
    assert command.main([str(run), "--n", "100", "--sealed"]) == 0
    sealed = json.loads((run / "evaluation.json").read_text())
    assert sealed["reference"].startswith("sealed oracle: 100")
    assert sealed["generator"]["score"] == found["generator"]["score"]
    assert sealed["generator"]["frechet"] != found["generator"]["frechet"]


def strict(path):
    """What a file of JSON holds, which has no NaN."""

    def refuse(constant):
        raise AssertionError(f"{path} holds {constant}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture
def blobs(tmp_path):
    """A folder of 12 pictures, and the configuration of a training on them."""
    (tmp_path / "pictures").mkdir()
    for k, image in enumerate(reggan.render(reggan.Circles(), 12, size=32, dtype=np.uint8)):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{k:02}.png")
    return tiny("dcgan", data=Files(str(tmp_path / "pictures")), steps=2)


def test_what_is_undefined_is_null_and_a_dash(blobs, tmp_path, monkeypatch, capsys):
    """A generator of white paper has no blobs to compare."""
    run = tmp_path / "run"
    train(run, blobs)
    monkeypatch.setattr(Sampler, "make", lambda sampler, inputs: np.full((len(inputs), 32, 32), 255, "u1"))
    assert command.main([str(run), "--n", "100"]) == 0
    generator = strict(run / "evaluation.json")["generator"]
    assert generator["ink"] == 0
    assert generator["blob_size"] is generator["blob_perimeter"] is generator["edge_softness"] is None
    assert "\n| blob size | 0.000 | – | " in capsys.readouterr().out


def test_too_few_data_are_said_and_the_other_figures_written(blobs, tmp_path, capsys):
    run = tmp_path / "run"
    for path in list((tmp_path / "pictures").iterdir())[9:]:
        path.unlink()
    train(run, blobs)
    assert command.main([str(run), "--n", "100"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: the number of images in the data is 9, must be at least 10 for a comparison")
    found = strict(run / "evaluation.json")
    assert (found["reference"], found["samples"]) == (None, 100)
    for column in ("data", "generator"):
        assert {"score", "ink", "obeying", "histograms"} <= found[column].keys()
        assert "coverage" not in found[column]
    assert printed.out == (run / "evaluation.md").read_text(encoding="utf-8")
    assert f"| ink | {found['data']['ink']:.1%} | " in printed.out


@pytest.mark.parametrize("error", [MemoryError("no room"), KeyboardInterrupt(), ValueError("no references")])
def test_what_needs_no_reference_is_written_whatever_becomes_of_the_rest(blobs, tmp_path, monkeypatch, capsys, error):
    def fail(*_, **options):
        assert strict(run / "evaluation.json")["generator"]["score"] >= 0  # also if the process is killed from here on
        raise error

    run = tmp_path / "run"
    train(run, replace(blobs, data=RenderedImages(images=50, classes=()), rule="solid"))
    monkeypatch.setattr(command, "reference_images", fail)
    assert command.main([str(run), "--n", "100"]) == (130 if isinstance(error, KeyboardInterrupt) else 1)
    found = strict(run / "evaluation.json")
    assert found["reference"] is None
    assert {"score", "copies", "memorizes"} <= found["generator"].keys()
    assert "| exact score | " in capsys.readouterr().out


def test_a_recipe_sees_images_by_parts(config, tmp_path, monkeypatch):
    run = tmp_path / "run"
    train(run, config)
    networks = RunDirectory.open(run).load_networks()
    images = reggan.render(reggan.Circles(), 70, size=config.size, dtype=np.uint8)
    whole, seen = command.honesty(config, networks, images, RULE), []
    classifier = networks["classifier"].forward
    monkeypatch.setattr(networks["classifier"], "forward", lambda x: seen.append(len(x)) or classifier(x))
    monkeypatch.setattr(command, "_BATCH", 32)
    assert command.honesty(config, networks, images, RULE) == pytest.approx(whole, abs=1e-6)
    assert seen == [32, 32, 6]


def test_wrong_options_write_nothing(tmp_path, capsys):
    assert command.main([str(tmp_path), "--n", "5"]) == 2
    assert command.main([str(tmp_path)]) == 1
    assert "not a run directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_oracle_is_where_an_ideal_generator_would_be(config):
    data = config.data.open(config.size, RULE)
    reference, _ = reference_images(config, data, 300)
    found = reggan.oracle("connected", config.size)
    ideal = reggan.render(found.spec, found.indices[300:600], seed=found.seed, size=config.size, dtype=np.uint8)
    training = data.fetch(np.arange(2000))[:, 0].numpy()
    held_out = held_out_images(config)
    good, copied = (evaluate(images, reference, training, held_out, RULE) for images in (ideal, training[:300]))
    assert good["score"] == good["one_piece"] == good["obeying"] == 1
    assert good["coverage"] > 0.9
    assert not good["memorizes"]
    assert copied["memorizes"]
    assert copied["coverage"] < good["coverage"]


def test_without_an_oracle_the_data_are_the_reference(config, tmp_path):
    found = reggan.oracle("connected", config.size)
    obeying = reggan.render(found.spec, found.indices[:150], seed=found.seed, size=config.size, dtype=np.uint8)
    others = reggan.render(found.spec, 850, size=config.size, dtype=np.uint8)
    for kept, expected, about in ((150, 150, "150 images that obey"), (50, 100, "the best 100 images")):
        np.save(tmp_path / "images.npy", np.concatenate([others, obeying[:kept]]))
        other = replace(config, data=Files(str(tmp_path / "images.npy")))
        images, told = reference_images(other, other.data.open(config.size, RULE), 500)
        assert about in told
        assert len(images) == expected
        assert (RULE(images) == 1).sum() >= kept
        assert held_out_images(other) is None
        assert "copies" not in evaluate(images, images, images, None, RULE)
    polygons = replace(config, data=RenderedImages(spec=reggan.Polygons(), classes=()))
    images, told = reference_images(polygons, polygons.data.open(config.size, RULE), 500)
    assert told.startswith(f"search: {len(images)} images of the data's renderer")
    assert (RULE(images) == 1).all()
    far = replace(config, rule="connected & ink(0.1, 0.3)")
    both = resolve_rule(far.rule)
    images, told = reference_images(far, far.data.open(config.size, both), 500)
    assert told.startswith("oracle: 500 ")
    assert (both(images) == 1).all()
    assert (reference_images(config, config.data.open(config.size, RULE), 2000)[0] == images[0]).all((1, 2)).any()


def test_the_oracle_is_of_the_default_circles_and_only_where_enough_of_it_obeys(config, monkeypatch):
    monkeypatch.setattr(command, "_SEARCHED", 20_000)
    rare = replace(config, rule="connected & symmetric", data=RenderedImages(images=500, classes=()))
    images, told = reference_images(rare, rare.data.open(config.size, resolve_rule(rare.rule)), 200)
    assert told.startswith("repair: 200 repaired images")
    assert (resolve_rule(rare.rule)(images) == 1).all()
    large = replace(
        config, data=RenderedImages(images=500, spec=reggan.Circles(count=(2, 3), radius=(9, 12)), classes=())
    )
    _, told = reference_images(large, large.data.open(config.size, RULE), 300)
    assert told.startswith("search: 300 images")


@pytest.mark.parametrize("rule", ["connected", "solid"])
def test_sealed_references_are_none_of_the_others(config, rule):
    """Both those of the oracle and those that are searched for."""
    config = replace(config, rule=rule, data=RenderedImages(images=500, classes=()))
    data = config.data.open(config.size, resolve_rule(rule))
    (images, _), (sealed, about) = (reference_images(config, data, 150, sealed=sealed) for sealed in (False, True))
    assert about.startswith("sealed ")
    assert (resolve_rule(rule)(sealed) == 1).all()
    assert len({image.tobytes() for image in np.concatenate([images, sealed])}) == 300


def test_the_time_for_images_that_obey_counts_those_that_do_not():
    assert command.seconds_per_thousand(3.0, 2000, 0.5) == 3.0
    assert command.seconds_per_thousand(3.0, 2000, 0.0) is math.nan


def test_held_out_images_are_none_of_the_data(config):
    data = config.data.open(config.size, RULE)
    assert data.length == 500
    training = data.fetch(np.arange(data.length)).numpy()
    held_out = held_out_images(config)
    assert held_out.shape == (500, config.size, config.size)
    assert not {image.tobytes() for image in training} & {image.tobytes() for image in held_out}
