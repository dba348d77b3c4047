"""Studies in their smallest form: the files that they write, and that they continue where they stopped."""

import gzip
import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import reggan
import studies
from reggan import RULES, render
from reggan.config import config_from_json, config_to_json
from reggan.data import RenderedImages
from reggan.presets import preset
from reggan.recipes import Harvest, Repair
from reggan.runs import RunDirectory
from reggan.specs import Polygons
from studies import STUDIES, ByReferences, BySamples, Study, classifier, measures, runs
from studies.__main__ import main
from studies.arithmetic import with_arithmetic
from studies.flow import RectifiedFlow
from studies.records import same_config, spread, table
from studies.residual import ResidualClassifier

ARGUMENTS = ["far", "--reduced", "--seeds", "2", "--only", "harvest", "dcgan"]
BY_REFERENCES = [name for name, study in STUDIES.items() if isinstance(study.comparison, ByReferences)]
BY_SAMPLES = [name for name, study in STUDIES.items() if isinstance(study.comparison, BySamples)]
RESULTS = Path(__file__).parents[1] / "docs" / "results"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("name", BY_REFERENCES)
def test_every_arm_is_a_configuration_of_its_own(name, tmp_path):
    arms = STUDIES[name].arms(tmp_path)
    configs = [config_to_json(arm.config) for arm in arms.values()]
    assert len({json.dumps(config) for config in configs}) == len(arms) > 1
    assert len({arm.label for arm in arms.values()}) == len(arms)
    for arm, raw in zip(arms.values(), configs, strict=True):
        assert config_from_json(raw) == arm.config
    # The same budget for all but the recipes with a schedule of their own, of which Repair has the shortest.
    configs = [arm.config for arm in arms.values() if not isinstance(arm.config.recipe, RectifiedFlow)]
    assert len({(config.batch_size, config.size) for config in configs}) == 1
    assert len({config.steps for config in configs if not isinstance(config.recipe, Harvest | Repair)}) <= 1
    shortest = min(config.steps for config in configs)
    assert all(config.steps == shortest for config in configs if isinstance(config.recipe, Repair))


def test_images_of_a_gan_and_of_a_flow_are_measured_after_repair(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "write_report", lambda directory: None)
    only = ("repair", "flow")
    assert main(["repair", "--reduced", "--seeds", "1", "--only", *only, "--out", str(tmp_path)]) == 0
    for name in only:
        record = json.loads((tmp_path / "records" / f"{name}-seed0.json").read_text())
        assert record["figures"]["obeying"] < record["repaired"]["obeying"] == 1
        assert 0 < record["repaired"]["changed"] < 1
        assert record["repaired"]["frechet"] != record["figures"]["frechet"]
    assert "| pixels changed |" in (tmp_path / "results.md").read_text()


def test_the_package_neither_holds_nor_imports_studies():
    package = Path(reggan.__file__).parent
    assert importlib.util.find_spec("reggan.experiments") is None
    assert not Path(studies.__file__).is_relative_to(package)
    for path in package.rglob("*.py"):
        assert not re.search(r"^\s*(from|import) studies\b", path.read_text(), re.M), path


def test_a_study_leaves_records_tables_and_figures(results):
    found = json.loads((results / "results.json").read_text())
    assert found["reduced"] is True
    assert found["reference"].startswith("oracle: ")
    assert found["arms"].keys() == {"harvest", "dcgan"}
    table = (results / "results.md").read_text()
    for name, arm in found["arms"].items():
        records = [json.loads((results / "records" / f"{name}-seed{s}.json").read_text()) for s in range(2)]
        assert arm["score"]["seeds"] == [record["figures"]["score"] for record in records]
        assert arm["score"]["mean"] == pytest.approx(np.mean(arm["score"]["seeds"]))
        assert f"{arm['score']['mean']:.3f} ± {arm['score']['std']:.3f}" in table
        assert set(arm) - {"label"} <= set(STUDIES["far"].comparison.columns)
        assert [record["config"]["seed"] for record in records] == [0, 1]
        assert (results / "runs" / f"{name}-seed0" / "report.html").exists()
    assert "worst_batch" in found["arms"]["harvest"]
    assert "honesty_gap" in found["arms"]["harvest"]
    assert "honesty_gap" not in found["arms"]["dcgan"]
    for name in ("scores.png", "samples.png", "frontier.png", "histograms.png"):
        with Image.open(results / name) as image:
            assert min(image.size) > 200


def test_runs_that_have_a_record_are_not_trained_again(results, monkeypatch):
    def trained(run, *given):
        raise AssertionError(f"{run.path} was trained again")

    monkeypatch.setattr(RunDirectory, "train", trained)
    before = (results / "results.json").read_bytes()
    assert main([*ARGUMENTS, "--out", str(results)]) == 0
    assert (results / "results.json").read_bytes() == before


def test_records_of_other_machines_are_taken(results, tmp_path, monkeypatch):
    def trained(run, *given):
        raise AssertionError(f"{run.path} was trained again")

    monkeypatch.setattr(RunDirectory, "train", trained)
    shutil.copytree(results / "records", tmp_path / "records")
    for path in tmp_path.glob("records/*.json"):
        record = json.loads(path.read_text())
        record["config"] |= {"device": "elsewhere", "precision": "other"}
        path.write_text(json.dumps(record))
    assert main([*ARGUMENTS, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "results.md").read_bytes() == (results / "results.md").read_bytes()


def test_sealed_references_measure_the_same_runs_again(results, tmp_path, monkeypatch, capsys):
    assert main(["modes", "--sealed", "--out", str(tmp_path)]) == 2
    assert "sealed is for studies that compare with references, and modes does not" in capsys.readouterr().err
    monkeypatch.setattr(RunDirectory, "train", lambda run, *given: None)
    shutil.copytree(results / "runs", tmp_path / "runs")
    assert main([*ARGUMENTS, "--sealed", "--out", str(tmp_path)]) == 0
    found, before = (json.loads((folder / "results.json").read_text()) for folder in (tmp_path, results))
    assert found["reference"] == f"sealed {before['reference']}"
    for name, arm in found["arms"].items():
        assert arm["score"] == before["arms"][name]["score"]
        assert arm["frechet"] != before["arms"][name]["frechet"]
    # Tables hold one kind of references only.
    shutil.copyfile(results / "records" / "harvest-seed0.json", tmp_path / "records" / "harvest-seed0.json")
    assert main([*ARGUMENTS, "--sealed", "--out", str(tmp_path)]) == 1
    assert "the records have different references: oracle: " in capsys.readouterr().err


def test_a_first_arm_is_copied_from_a_study_beside(results, monkeypatch):
    def trained(run, *given):
        raise AssertionError(f"{run.path} was trained")

    monkeypatch.setattr(RunDirectory, "train", trained)
    arms, beside = STUDIES["far"].arms(results), results.with_name("beside")
    # Records of other kinds of studies lie there, too.
    other = results.with_name("classifier") / "records" / "paper-seed0.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"config": {"network": "strided"}}))
    Study("the same", lambda work: {"again": arms["harvest"]}, ByReferences()).run(beside, 2, reduced=True)
    for seed in range(2):
        taken, measured = beside / "records" / f"again-seed{seed}", results / "records" / f"harvest-seed{seed}"
        for suffix in (".json", ".png"):
            assert taken.with_suffix(suffix).read_bytes() == measured.with_suffix(suffix).read_bytes()
    # The working folder has others beside it, too.
    here = results.with_name("here")
    here.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(here)
        Study("the same", lambda work: {"again": arms["harvest"]}, ByReferences()).run(Path(), 1, reduced=True)
    assert (here / "results.md").exists()
    # This one was measured by the data of another arm.
    with pytest.raises(AssertionError, match="dcgan-seed0 was trained"):
        Study("another", lambda work: {"dcgan": arms["dcgan"]}, ByReferences()).run(beside, 1, reduced=True)


def test_arms_that_begin_alike_share_that_and_end_as_if_each_were_alone(tmp_path, monkeypatch):
    trained, train = [], RunDirectory.train
    monkeypatch.setattr(RunDirectory, "train", lambda run, *given: trained.append(run.path) or train(run, *given))
    monkeypatch.setattr("studies.runs.write_report", lambda run: None)
    assert (
        main(
            [
                "ablation",
                "--reduced",
                "--seeds",
                "1",
                "--only",
                "harvest",
                "no-rule",
                "no-decay",
                "no-pool",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    runs = tmp_path / "runs"
    # Other data in the warm-up are another opening; each is trained once.
    assert len([run for run in trained if run.name.startswith("opening-")]) == 2
    for arm in ("no-rule", "no-decay"):
        alone = tmp_path / arm
        train(RunDirectory.create(alone, RunDirectory.open(runs / f"{arm}-seed0").config))
        for name in ("metrics.jsonl", "summary.json"):
            assert (alone / name).read_bytes() == (runs / f"{arm}-seed0" / name).read_bytes()


@pytest.mark.parametrize("name", ["quick", "fine"])
def test_an_opening_ends_with_the_warmup(name):
    config = preset(name, "harvest")
    shared, steps = runs.opening(config)
    stages = {stage.name: stage.steps for stage in config.recipe.stages(config.steps, RULES["connected"])}
    assert steps == stages["classifier"] + stages["warmup"]
    later = replace(config, recipe=replace(config.recipe, rule_weight=0.0, harvest_share=0.5), lr_decay=0.2)
    assert runs.opening(later) == (shared, steps)
    assert runs.opening(replace(config, recipe=replace(config.recipe, candidates=1)))[0] != shared
    assert runs.opening(preset("quick", "dcgan")) is None


def test_a_mean_that_is_rounded_to_0_has_no_minus():
    gap = {"mean": -2e-4, "std": 1e-3, "seeds": [-1.2e-3, 8e-4]}
    shown = table({"arm": {"label": "Arm", "gap": gap}}, {"gap": ("gap", lambda _: None, ".3f")})
    assert shown.splitlines()[-1] == "| Arm | 2 | 0.000 ± 0.001 |"


def test_no_seeds_make_tables_of_what_is_there(results, tmp_path, capsys):
    before = (results / "results.md").read_bytes()
    (results / "results.md").unlink()
    assert main(["far", "--reduced", "--seeds", "0", "--out", str(results)]) == 0
    assert (results / "results.md").read_bytes() == before
    later = tmp_path / "later" / "records"
    later.mkdir(parents=True)
    for path in results.glob("records/*-seed1.*"):
        (later / path.name).write_bytes(path.read_bytes())
    assert main(["far", "--reduced", "--seeds", "0", "--out", str(later.parent)]) == 0
    assert (later.parent / "samples.png").exists()
    assert main(["far", "--seeds", "0", "--out", str(tmp_path)]) == 1
    assert "there are no records" in capsys.readouterr().err


def test_runs_of_another_configuration_are_not_mixed_in(results, capsys):
    assert main(["far", "--seeds", "1", "--only", "harvest", "--out", str(results)]) == 1
    assert "has another configuration" in capsys.readouterr().err


@pytest.mark.parametrize("name", STUDIES)
def test_a_single_arm_has_tables_and_figures(name, tmp_path, monkeypatch):
    """Whichever it is, and whatever figures it lacks; the records are those that are committed."""
    known = RESULTS / name / "records"
    path = max(known.glob("*-seed0.json"))
    shutil.copytree(
        known, tmp_path / "records", ignore=lambda _, files: {f for f in files if Path(f).stem != path.stem}
    )
    monkeypatch.setattr(
        "studies.references.training_images",
        lambda data, count: render(Polygons(), 40, size=data.image_shape[-1], dtype=np.uint8),
    )
    STUDIES[name].run(tmp_path, 0, reduced=False)
    described = json.loads((tmp_path / "results.json").read_text())
    assert list(described["arms"]) == [path.stem.removesuffix("-seed0")]
    pictures = list(tmp_path.glob("*.png"))
    assert pictures
    for picture in pictures:
        with Image.open(picture) as image:
            assert min(image.size) > 100


def test_an_undefined_figure_of_a_record_is_no_part_of_the_mean():
    records = [{"vendi": None}, {"vendi": 0.5}]
    columns = {"vendi": ("Vendi", lambda record: record["vendi"], ".2f")}
    assert spread(records, columns)["vendi"] == {"mean": 0.5, "std": 0.0, "seeds": [0.5]}
    assert spread(records[:1], columns) == {}


def test_an_unknown_arm_is_an_error(tmp_path, capsys):
    assert main(["far", "--only", "oracle", "--out", str(tmp_path)]) == 1
    assert "unknown arm oracle; known: harvest, repair, harvest-best, dcgan" in capsys.readouterr().err


def test_classifiers_are_taught_and_tested(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "_BATCH", 16)
    arguments = ["classifier", "--reduced", "--seeds", "1", "--only", "paper-generated", "residual"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "results.json").read_text())["arms"]
    assert found.keys() == {"paper-generated", "residual"}
    for name, arm in found.items():
        record = json.loads((tmp_path / "records" / f"{name}-seed0.json").read_text())
        for kind in ("held_out", "generated", "one_piece"):
            confusion = np.array(record[kind]["confusion"])
            assert confusion.shape == (11, 11)
            assert confusion.sum() == 100
            assert record[kind]["accuracy"] == pytest.approx(np.trace(confusion) / 100)
        # The held-out images are balanced over the classes that occur, and one piece is the last class alone.
        assert np.sum(record["held_out"]["confusion"], axis=1).tolist() == [0] + [10] * 10
        assert np.sum(record["one_piece"]["confusion"], axis=1).tolist() == [0] * 10 + [100]
        assert arm["accuracy"]["seeds"] == [record["held_out"]["accuracy"]]
    assert found["residual"]["label"] in (tmp_path / "results.md").read_text()
    with Image.open(tmp_path / "confusion.png") as image:
        assert min(image.size) > 200
    monkeypatch.setattr(classifier, "_teach", None)  # Pupils that have a record are not taught again.
    assert main([*arguments, "--out", str(tmp_path)]) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_the_residual_classifier_has_a_logit_per_class(channels):
    assert ResidualClassifier(channels, 7, 4, 1)(torch.zeros(3, channels, 28, 28)).shape == (3, 7)


@pytest.mark.parametrize(("name", "first"), [("paper", 1e-3), ("residual", 2e-3 / 25)])
def test_a_classifier_is_taught_at_the_rate_that_is_told(name, first, monkeypatch):
    rates, step = [], torch.optim.AdamW.step

    def noted(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    monkeypatch.setattr(classifier, "_BATCH", 8)
    lesson = torch.zeros(100, 1, 32, 32, dtype=torch.uint8), torch.ones(100)
    pupil = classifier.pupils(Path())[name].config
    classifier._teach(replace(pupil, steps=40), classifier._generator(0, True), [lesson])
    assert rates[0] == pytest.approx(first)
    assert max(rates) == pytest.approx(pupil.lr)
    assert (min(rates) == max(rates)) == (name == "paper")


def test_the_list_names_every_study_in_two_columns(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(STUDIES)
    assert len({line.index(known.about) for line, known in zip(lines, STUDIES.values(), strict=True)}) == 1


@pytest.mark.parametrize("arguments", [["no-such"], [], ["far", "--seeds", "-1"]])
def test_wrong_usage_ends_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("name", STUDIES)
def test_committed_records_have_the_configurations_of_their_studies(name):
    study, paths = STUDIES[name], list((RESULTS / name / "records").glob("*.json"))
    arms = study.arms(Path("docs", "results", name, "runs"))
    assert paths
    for path in paths:
        arm, seed = path.stem.rsplit("-seed", 1)
        asked = study.comparison.to_json(replace(arms[arm].config, seed=int(seed)))
        assert same_config(json.loads(path.read_text())["config"], asked), path


@pytest.mark.parametrize("name", ["ablation", "classifier", "modes"])
def test_committed_records_make_the_committed_tables(name, tmp_path, monkeypatch):
    shutil.copytree(RESULTS / name / "records", tmp_path / "records")
    monkeypatch.setattr(type(STUDIES[name].comparison), "draw", lambda *arguments: ())
    assert main([name, "--seeds", "0", "--out", str(tmp_path)]) == 0
    for file in ("results.json", "results.md"):
        assert (tmp_path / file).read_bytes() == (RESULTS / name / file).read_bytes()


def test_a_record_of_another_folder_and_machine_same_config(tmp_path):
    arms = [STUDIES["mnist-like"].arms(tmp_path / folder)["wgan"] for folder in ("here", "there")]
    here, there = (config_to_json(arm.config) for arm in arms)
    assert here != there
    assert same_config(here | {"precision": "bfloat16"}, there)
    assert not same_config(here, there | {"seed": 1})
    assert not same_config(here, there | {"data": there["data"] | {"invert": False}})


# Studies by samples


@pytest.mark.parametrize("name", BY_SAMPLES)
def test_studies_by_samples_have_the_same_budget_for_all_and_no_arm_twice(name, tmp_path):
    arms = STUDIES[name].arms(tmp_path)
    configs = [arm.config for arm in arms.values()]
    assert len({json.dumps(config_to_json(config)) for config in configs}) == len(arms)
    assert len({(arm.group, arm.label) for arm in arms.values()}) == len(arms)
    assert len({(config.steps * config.recipe.batches, config.batch_size) for config in configs}) == 1


def write_tiny_mnist(folder):
    """Light shapes on dark ground, as MNIST has them."""
    folder.mkdir(parents=True)
    for name, count in (("train", 80), ("t10k", 40)):
        images = 255 - render(Polygons(), range(count), size=28)
        header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in images.shape)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))


@pytest.mark.usefixtures("in_short")
@pytest.mark.parametrize(
    ("name", "arms"),
    [
        ("blob-count", ("dcgan-gray", "wgan-gp-color")),
        ("heavy-mode", ("gan", "bigan")),
        ("latent-arithmetic", ("dcgan", "bigan")),
        ("mnist-like", ("dcgan", "wgan")),
        ("modes", ("gan-ring-8", "wgan-ring-8")),
        ("toy-1d", ("2-width-4",)),
        ("translate", ("cyclegan-fused-colors",)),
    ],
)
def test_a_study_by_samples_leaves_records_tables_and_figures(tmp_path, monkeypatch, name, arms):
    study = STUDIES[name]
    planned = study.arms(tmp_path / "runs")
    seeds = 2 if name in ("blob-count", "modes") else 1
    monkeypatch.setattr("studies.runs.write_report", lambda run: None)
    if name == "mnist-like":
        write_tiny_mnist(tmp_path / "runs" / "mnist-like")
    arguments = [name, "--reduced", "--seeds", str(seeds), "--only", *arms, "--out", str(tmp_path)]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["arms"].keys() == set(arms)
    table = (tmp_path / "results.md").read_text()
    for arm in arms:
        records = [json.loads((tmp_path / "records" / f"{arm}-seed{s}.json").read_text()) for s in range(seeds)]
        for key, (_, figure, _) in study.comparison.columns.items():
            expected = [value for value in map(figure, records) if value is not None]
            assert found["arms"][arm].get(key, {"seeds": []})["seeds"] == expected
        assert records[0]["curve"]["generator_step"] == [2, 4, 6]
        assert f"| {planned[arm].label} | {seeds} | " in table
    groups = dict.fromkeys(planned[arm].group for arm in arms)
    for picture in (
        "curves.png",
        "losses.png",
        *["counts.png"] * bool(study.comparison.expected),
        *(f"samples-{k + 1}.png" for k in range(len(groups))),
    ):
        with Image.open(tmp_path / picture) as image:
            assert min(image.size) > 200
    if study.comparison.animated:
        with Image.open(tmp_path / "records" / f"{arms[0]}-seed0.gif") as image:
            assert image.n_frames == 2

    def trained(run, *given):
        raise AssertionError(f"{run.path} was trained again")

    monkeypatch.setattr(RunDirectory, "train", trained)
    before = (tmp_path / "results.md").read_bytes()
    assert main(arguments) == 0
    assert (tmp_path / "results.md").read_bytes() == before


def test_points_have_converged_once_they_are_near():
    curve = {"generator_step": [1, 2, 3, 4], "wasserstein": [0.5, 0.12, 0.09, 0.2]}
    assert measures._first_near({"curve": curve}) == 3
    assert measures._first_near({"curve": {"generator_step": [1], "wasserstein": [0.3]}}) is None
    assert measures._first_near({"curve": {"generator_step": [1]}}) is None


def test_numbers_of_pieces_are_compared_with_equal_parts():
    def record(*counts):
        return {"figures": {"counts": list(counts)}}

    assert measures._off_uniform(record(0, *[5] * 9)) == pytest.approx(0)
    assert measures._outside(record(0, *[5] * 9)) == 0
    # All images have five pieces; half have none and half eleven.
    assert measures._off_uniform(record(0, 0, 0, 0, 0, 7)) == pytest.approx(8 / 9)
    halves = record(3, *[0] * 10, 3)
    assert measures._off_uniform(halves) == pytest.approx(1)
    assert measures._outside(halves) == 1


class Countable(nn.Module):
    """As many dots, of up to ten, as the first number of a latent says around four."""

    def forward(self, latents):
        images = torch.ones(len(latents), 1, 32, 32)
        for image, count in zip(images, (4 + 2 * latents[:, 0]).round().clamp(0, 10).int(), strict=True):
            image[0, 0 : 2 * count : 2, 0] = -1
        return images


class Counting(nn.Module):
    """The latents that such dots are drawn from, by the ink; the other numbers are noise."""

    def forward(self, images):
        dots = (images[:, 0] < 0).sum(dim=(1, 2)).float()
        noise = torch.randn(len(images), 3, generator=torch.Generator().manual_seed(1))
        return torch.cat([(dots[:, None] - 4) / 2, noise], dim=1)


def test_arithmetic_finds_latents_that_add_up():
    config = preset("quick", "bigan")
    config = replace(config, recipe=replace(config.recipe, latent_dim=4), data=RenderedImages(images=1500))
    figures, picture = with_arithmetic(config, {"averaged": Countable(), "encoder": Counting()}, 1500)
    # A step of two dots is a step of one in the latent; without the offset of four, five less three is 4 + 2, not 2.
    assert figures["more"] == pytest.approx(2, abs=0.3)
    assert figures["five"] > 0.5
    assert figures["two"] == 0
    assert np.argmax(figures["counts"]) == 6
    assert figures["linear"] == pytest.approx(1, abs=0.05)
    assert figures["chance"] < 0.05
    # Rendered blobs have other ink than dots, and their codes lead anywhere.
    assert figures["codes_kept"] < 0.9
    assert picture.width > picture.height > 200


def test_arithmetic_leaves_out_what_there_are_too_few_images_for():
    config = preset("quick", "dcgan")

    class Blank(nn.Module):
        def forward(self, latents):
            return torch.ones(len(latents), 1, 32, 32)

    figures, picture = with_arithmetic(config, {"averaged": Blank()}, 100)
    assert figures == {"linear": 0.0}
    assert picture.width > picture.height


def test_a_set_that_is_not_there_is_asked_for_before_anything_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("studies.arms._DEBIAN", tmp_path / "nowhere")
    arguments = ["mnist-like", "--reduced", "--seeds", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "install Debian's dataset-fashion-mnist" in capsys.readouterr().err
