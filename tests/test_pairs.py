"""Pairs of two kinds of images: the data, the translators, what is measured of them, and the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_training import make_trainer, tiny_pairs, train

from reggan import Polygons, evaluate, generate
from reggan.cli import UsageError
from reggan.config import config_from_json, config_to_json
from reggan.data import Files, FileSet, Pairs, RenderedImages
from reggan.modalities import PairModality
from reggan.networks import FusedTranslator, PairDiscriminator, SeparateTranslator
from reggan.presets import preset
from reggan.recipes import CycleGAN, FusedCycleGAN
from reggan.recipes.memory import ReplayBuffer
from reggan.rules import resolve_rule
from reggan.runs import RunDirectory
from reggan.train import _parse
from studies import measures

CONNECTED = resolve_rule("connected")


def folder(path, count, color=False):
    path.mkdir()
    for k in range(count):
        shape = (16, 16, 3) if color else (16, 16)
        Image.fromarray(np.full(shape, 20 * k, np.uint8)).save(path / f"{k}.png")
    return path


def test_both_sets_are_gone_through_in_orders_of_their_own(tmp_path):
    pairs = Pairs(Files(str(folder(tmp_path / "a", 3))), Files(str(folder(tmp_path / "b", 5))))
    data = pairs.open(16, CONNECTED)
    seen = data.fetch(np.arange(15))[..., 0, 0, 0].numpy() // 20
    assert seen.shape == (15, 2)
    for kind, length in ((0, 3), (1, 5)):
        epochs = seen[:, kind].reshape(-1, length)
        assert (np.sort(epochs, axis=1) == np.arange(length)).all()
        assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1
    again = pairs.open(16, CONNECTED).fetch(np.array([7]))
    assert torch.equal(again[0], data.fetch(np.arange(15))[7])


def test_a_gray_image_beside_one_in_color_has_equal_channels():
    pairs = Pairs(
        RenderedImages(images=20, classes=()), RenderedImages(images=20, spec=Polygons(color=True), classes=())
    )
    samples = pairs.open(32, CONNECTED).fetch(np.arange(8))
    assert samples.shape == (8, 2, 3, 32, 32)
    assert torch.equal(samples[:, 0, 0], samples[:, 0, 2])
    assert not torch.equal(samples[:, 1, 0], samples[:, 1, 2])


def test_pairs_survive_json(tmp_path):
    config = preset("pairs", "cyclegan")
    for data in (Pairs(), Pairs(Files("/a", color=True), RenderedImages(images=7, spec=Polygons()), seed=3)):
        changed = replace(config, data=data)
        assert config_from_json(json.loads(json.dumps(config_to_json(changed)))) == changed


# Networks


@pytest.mark.parametrize("kind", [SeparateTranslator, FusedTranslator])
def test_translators_turn_each_image_into_the_other_kind(kind):
    network = kind(3, 4, 2)
    pairs = torch.randn(2, 2, 3, 32, 32)
    made, kept = network.translate(pairs, keep=True)
    assert made.shape == kept.shape == pairs.shape
    assert made.abs().max() <= 1
    torch.testing.assert_close(network(pairs), made)
    # What becomes of the second image is the new first one, and no other depends on it.
    other = pairs.clone()
    other[:, 1] += 1
    changed, changed_kept = network.translate(other, keep=True)
    torch.testing.assert_close(changed[:, 1], made[:, 1])
    torch.testing.assert_close(changed_kept[:, 0], kept[:, 0])
    assert not torch.allclose(changed[:, 0], made[:, 0])
    assert network.translate(pairs, keep=False)[1] is None


def test_a_fused_translator_keeps_images_by_the_decoder_of_their_kind():
    network = FusedTranslator(1, 4, 2)
    pairs = torch.randn(2, 2, 1, 32, 32)
    _, kept = network.translate(pairs, keep=True)
    expected = torch.tanh(network.to_first(network.encoder(pairs[:, 0])))
    torch.testing.assert_close(kept[:, 0], expected)


def test_fused_networks_have_less_than_six_tenths_of_the_parameters():
    counts = [
        sum(parameter.numel() for parameter in recipe.build((2, 1, 32, 32), CONNECTED)["generator"]().parameters())
        for recipe in (CycleGAN(), FusedCycleGAN())
    ]
    assert counts[1] < 0.6 * counts[0]


def test_discriminators_see_patches_of_their_own_kind():
    network = PairDiscriminator(1, 4, 2)
    pairs = torch.randn(2, 2, 1, 32, 32)
    logits = network(pairs)
    assert logits.shape[:2] == (2, 2)
    assert logits.shape[2] > 1
    other = pairs.clone()
    other[:, 1] += 1
    assert torch.equal(network(other)[:, 0], logits[:, 0])


# What is remembered and lost


def test_a_pool_fills_up_and_then_swaps_half():
    pool, random = ReplayBuffer(10, (2, 3)), torch.Generator().manual_seed(0)
    first = torch.arange(10.0)[:, None, None].expand(10, 2, 3)
    assert torch.equal(pool.exchange(first, random), first)
    assert torch.equal(pool.kept.view(10, 2, 3), first)
    later = 100 + torch.arange(200.0)[:, None, None].expand(200, 2, 3)
    given = pool.exchange(later, random)
    old = (given != later).flatten(1).any(dim=1)
    assert 0.4 < old.float().mean() < 0.6
    # Nothing is lost or doubled: what was handed out or is kept is all there was.
    everything = torch.cat([given[:, 0, 0], pool.kept[:, 0]])
    assert sorted(everything.tolist()) == [*range(10), *range(100, 300)]


class Shift(torch.nn.Module):
    """Darkens the second kind on its way to the first, and the reverse by as much."""

    def forward(self, pairs):
        return torch.stack([pairs[:, 1] - 0.5, pairs[:, 0] + 0.5 + self.lost], dim=1)

    lost = 0.0


def test_the_score_is_what_the_way_back_keeps():
    modality = PairModality(Pairs(), 32, CONNECTED)
    generator = Shift()
    inputs = torch.zeros(3, 2, 1, 32, 32)
    assert modality.scores(modality.to_numpy(modality.make(generator, inputs))) == pytest.approx([1, 1, 1])
    generator.lost = 0.2
    # 0.2 of a range of 2, both ways: the second kind passes through the lossy translator as the first does.
    assert modality.scores(modality.to_numpy(modality.make(generator, inputs))) == pytest.approx([0.9] * 3, abs=0.01)


def test_translations_are_compared_with_the_kind_that_they_are_to_be():
    modality = PairModality(Pairs(), 32, CONNECTED)
    data = modality.to_numpy(Pairs().open(32, CONNECTED).fetch(np.arange(300)))
    nothing = modality.summarize(data)
    # A perfect translator would make images of the other kind, here of the data themselves.
    perfect = modality.summarize(np.stack([data, data, data], axis=1))
    assert perfect["score"] == nothing["score"] == 1
    for way in ("to_first", "to_second"):
        assert perfect[way] < 0.2 * nothing[way]
    assert modality.looks_like(perfect, nothing)
    assert not modality.looks_like(nothing, nothing)


def test_one_translation_has_a_score_and_no_distance():
    modality = PairModality(Pairs(), 32, CONNECTED)
    samples = modality.to_numpy(modality.make(Shift(), torch.zeros(1, 2, 1, 32, 32)))
    figures = modality.summarize(samples)
    assert figures["score"] == pytest.approx(1)
    assert np.isnan(figures["to_first"])
    assert np.isnan(figures["to_second"])


def test_what_is_translated_was_not_trained_on():
    data = Pairs(RenderedImages(images=50, classes=()), RenderedImages(images=50, spec=Polygons(), classes=()))
    modality = PairModality(data, 32, CONNECTED)
    inputs = modality.inputs(None, 20, torch.Generator().manual_seed(0))
    known = modality.encode(data.open(32, CONNECTED).fetch(np.arange(100)))
    for kind in (0, 1):
        distances = torch.cdist(inputs[:, kind].flatten(1), known[:, kind].flatten(1))
        assert distances.min() > 1


# Training


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("recipe", ["cyclegan", "cyclegan-fused"])
def test_translators_are_trained_drawn_used_and_evaluated(tmp_path, capsys, recipe):
    run = tmp_path / "run"
    summary = train(run, tiny_pairs(recipe))
    assert summary["data"]["score"] == 1
    assert 0 < summary["generator"]["score"] < 1
    assert {path.name for path in (run / "samples").iterdir()} == {"data.png", "step-00000004.png", "step-00000006.png"}
    assert generate.main([str(run), "-n", "3", "--out", str(tmp_path / "made")]) == 0
    for name in ("to-first", "to-second"):
        assert len(list((tmp_path / "made" / name).glob("*.png"))) == 3
    assert evaluate.main([str(run), "--n", "100"]) == 0
    assert "| Fréchet to the first | " in (run / "evaluation.md").read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("recipe", ["cyclegan", "cyclegan-fused"])
def test_a_short_training_brings_translators_nearer_to_the_way_back(tmp_path, recipe):
    config = tiny_pairs(recipe, steps=40, ema=0.5, batch_size=4, checkpoint_every=100)
    config = replace(config, recipe=replace(config.recipe, lr=2e-3))
    trainer = make_trainer(config)
    before = trainer.modality.summarize(trainer.sample(64, "summary"))["score"]
    after = train(tmp_path / "run", config)["generator"]["score"]
    assert 1 - after < 0.8 * (1 - before)


@pytest.fixture
def opened(monkeypatch):
    """The folders that are read, in order."""
    paths, read = [], FileSet.__init__

    def noted(data, files, *arguments, **options):
        paths.append(Path(files.path).name)
        read(data, files, *arguments, **options)

    monkeypatch.setattr(FileSet, "__init__", noted)
    return paths


@pytest.mark.usefixtures("in_short")
def test_folders_are_read_once_by_each_command(tmp_path, opened, capsys):
    data = Pairs(*(Files(str(folder(tmp_path / name, 6))) for name in ("a", "b")))
    run = tmp_path / "run"
    train(run, tiny_pairs("cyclegan", data=data, steps=2))
    assert opened == ["a", "b"]
    for command in (
        lambda: evaluate.main([str(run), "--n", "100"]),
        lambda: generate.main([str(run), "-n", "1"]),
        lambda: measures.with_figures(RunDirectory.open(run).config, RunDirectory.open(run).load_networks(), 2),
    ):
        opened.clear()
        assert command() != 1
        assert opened == ["a", "b"]
    assert "Fréchet to the first –, Fréchet to the second –" in capsys.readouterr().out


def test_open_folders_are_what_would_be_read(tmp_path):
    first = Files(str(folder(tmp_path / "a", 6)))
    data = Pairs(first, RenderedImages(images=50, spec=Polygons(), classes=()))
    alone = PairModality(data, 16, CONNECTED)
    given = alone.given(data.open(16, CONNECTED))
    assert given == alone
    inputs = [modality.inputs(None, 9, torch.Generator().manual_seed(0)) for modality in (alone, given)]
    assert torch.equal(*inputs)


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize("gray", [255, 120])
def test_a_kind_of_one_picture_is_trained_on(tmp_path, gray):
    first = folder(tmp_path / "a", 12)
    (tmp_path / "b").mkdir()
    Image.fromarray(np.full((16, 16), gray, np.uint8)).save(tmp_path / "b" / "one.png")
    data = Pairs(Files(str(first)), Files(str(tmp_path / "b")))
    summary = train(tmp_path / "run", tiny_pairs("cyclegan", data=data, steps=2))
    assert all(np.isfinite(value) for column in summary.values() for value in column.values())
    assert summary["data"]["to_second"] > 0


@pytest.mark.usefixtures("in_short")
def test_two_folders_are_translated_between(tmp_path):
    paths = [str(folder(tmp_path / name, 6, color=name == "b")) for name in ("a", "b")]
    options = _parse(["--recipe", "cyclegan", "--preset", "pairs", "--data", *paths, "--data.second.color"])
    assert options.config.data == Pairs(Files(paths[0]), Files(paths[1], color=True))
    summary = train(tmp_path / "run", tiny_pairs("cyclegan-fused", data=options.config.data))
    assert summary["data"]["score"] == 1
    assert 0 < summary["generator"]["score"] < 1
    with pytest.raises(UsageError, match="--data has 3 paths, must be one path, or two"):
        _parse(["--data", "a", "b", "c"])
