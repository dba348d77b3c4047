"""Configurations: presets, JSON form, and what is refused."""

import importlib
import json
from dataclasses import replace

import pytest

from reggan import RULES
from reggan.config import config_from_json, config_to_json
from reggan.presets import PRESETS, preset, presets_of
from reggan.recipes import RECIPES, Harvest
from reggan.train import _usual_preset

CASES = [(name, recipe) for recipe in RECIPES for name in presets_of(recipe)]


@pytest.mark.parametrize(("name", "recipe"), CASES)
def test_every_preset_survives_json(name, recipe):
    config = preset(name, recipe)
    assert type(config.recipe) is type(RECIPES[recipe])
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_the_paper_preset_is_the_papers():
    config = preset("paper", "reggan")
    assert (config.size, config.data.images, config.batch_size) == (64, 10_000, 64)
    gan = config.recipe.base
    assert (gan.latent_dim, gan.width, gan.lr, gan.beta1) == (100, 64, 2e-4, 0.5)
    assert config.recipe.classifier_steps == 15_000


def test_only_a_run_that_starts_from_another_says_so():
    config = preset()
    assert "init" not in config_to_json(config)
    config = replace(config, init="/runs/other")
    assert config_to_json(config)["init"] == "/runs/other"
    assert config_from_json(config_to_json(config)) == config


def test_a_change_survives_json():
    config = preset()
    changed = replace(config, seed=7, data=replace(config.data, below=0.5, classes=(1, 2)))
    assert config_from_json(config_to_json(changed)) == changed


def edited(change):
    raw = config_to_json(preset())
    change(raw)
    return raw


BAD = {
    "steps is 'many', must be a valid integer": lambda raw: raw.update(steps="many"),
    "precision is 'int3', must be 'auto', 'float32' or 'bfloat16'": lambda raw: raw.update(precision="int3"),
    "unknown option hue": lambda raw: raw.update(hue="red"),
    r"data\.rendered\.images is 1\.5, must be a valid integer": lambda raw: raw["data"].update(images=1.5),
    r"data\.kind is 'films', must be one of 'rendered', 'files', ": lambda raw: raw["data"].update(kind="films"),
    r"count is \(1,\), but must be two integers": lambda raw: raw["data"]["spec"].update(count=[1]),
    "renderer is 'squares', must be one of binary_blobs, ": lambda raw: raw["data"]["spec"].update(renderer="squares"),
    "'vgan' is not a recipe, known: bigan, bigan-pgp, cdcgan, ": lambda raw: raw["recipe"].update(name="vgan"),
    "reggan.data:Files is a type, must be a reggan Recipe": lambda raw: raw["recipe"].update(name="reggan.data:Files"),
    "recipe is missing": lambda raw: raw.pop("recipe"),
    "name its recipe": lambda raw: raw["recipe"].pop("name"),
    "unknown rule": lambda raw: raw.update(rule="symmetrical"),
    r"lr is -1\.0, must be greater than or equal to 0": lambda raw: raw["recipe"].update(lr=-1.0),
    "lacks seed": lambda raw: raw.pop("seed"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_json_names_the_field(message):
    with pytest.raises(ValueError, match=message):
        config_from_json(edited(BAD[message]))


@pytest.mark.parametrize("raw", [None, [], 3, "text", {}])
def test_json_of_another_kind_is_refused(raw):
    with pytest.raises(
        ValueError, match="recipe is missing" if raw == {} else "the configuration is .*, must be an object"
    ):
        config_from_json(raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 1),
        ("ema", 1.0),
        ("seed", -1),
        ("workers", -1),
        ("size", 0),
        ("eval_images", 0),
    ],
)
def test_values_out_of_range_are_said(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, must be (greater|less) than"):
        replace(preset(), **{field: value})


@pytest.mark.parametrize(
    ("recipe", "field", "value"),
    [
        ("dcgan", "candidates", 0),
        ("dcgan", "real_label", 0.2),
        ("dcgan", "width", 0),
        ("harvest", "acceptance", 0.0),
        ("harvest", "harvest_share", 1.1),
        ("harvest", "rounds", 0),
        ("harvest", "target_score", 1.1),
        ("reggan", "classifier_steps", -1),
        ("reggan", "method", "third"),
        ("reggan", "rule_loss", "hinge"),
        ("reggan", "rule_ratio", -0.5),
        ("harvest", "warmup", 8000),
        ("reggan", "warmup", -0.1),
    ],
)
def test_recipe_options_out_of_range_are_said(recipe, field, value):
    with pytest.raises(ValueError, match=f"{field} is {value!r}, must be"):
        replace(preset("quick", recipe).recipe, **{field: value})


def lengths(config):
    return {stage.name: stage.steps for stage in config.recipe.stages(config.steps, RULES["connected"])}


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        (preset("quick", "harvest"), 8000),
        (preset("fine", "harvest"), 6500),
        (replace(preset("quick", "harvest"), recipe=Harvest(warmup=500 / 14_000)), 500),
        (replace(preset("quick", "harvest"), steps=2000), 1143),
        (preset("quick", "reggan"), 0),
    ],
)
def test_a_warmup_is_a_share_of_the_steps_and_the_rule_has_the_others(config, steps):
    found = lengths(config)
    assert found["warmup"] == steps
    assert sum(found.values()) == config.recipe.classifier_steps + config.steps
    assert config.recipe.warn(config.steps) == ""
    if isinstance(config.recipe, Harvest):
        assert len([name for name in found if name.startswith("round")]) == 6


def test_a_warmup_in_steps_as_older_runs_have_it_is_said():
    with pytest.raises(ValueError, match="warmup is 8000, must be less than or equal to 1"):
        config_from_json(edited(lambda raw: raw.update(recipe={"name": "harvest", "warmup": 8000})))


def test_unknown_names_name_the_known_ones():
    with pytest.raises(ValueError, match="unknown preset 'fast'; known: fine, pairs, paper, points, quick"):
        preset("fast")
    with pytest.raises(
        ValueError,
        match="unknown recipe 'stylegan'; known: bigan, bigan-pgp, cdcgan, ",
    ):
        preset("quick", "stylegan")


def test_the_budget_is_in_real_samples():
    for name in PRESETS:
        others = [recipe for other, recipe in CASES if other == name and recipe not in ("repair", "toy-1d")]
        configs = [preset(name, recipe) for recipe in others]
        assert len({config.steps * config.recipe.batches for config in configs}) == 1, name


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_a_preset_of_its_own_samples(recipe):
    config = preset(_usual_preset(recipe), recipe)
    assert config.data.modality in config.recipe.makes


def test_auto_becomes_what_this_machine_has_and_numbers_stay(monkeypatch):
    config = preset()
    assert config.device != "auto"
    assert config.precision != "auto"
    assert replace(config, device="cuda:63").device == "cuda:63"  # Runs of other machines can be read.


def test_a_recipe_of_your_own_is_restored_by_its_module_and_name(tmp_path, monkeypatch):
    (tmp_path / "my_recipes.py").write_text(
        "from dataclasses import dataclass\n"
        "from reggan.recipes import DCGAN\n"
        "@dataclass(frozen=True)\n"
        "class Mine(DCGAN):\n"
        "    twist: float = 0.5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("my_recipes")
    config = replace(preset(), recipe=module.Mine(width=8, twist=0.25))
    raw = json.loads(json.dumps(config_to_json(config)))
    assert raw["recipe"]["name"] == "my_recipes:Mine"
    assert config_from_json(raw) == config
