"""Configurations: presets, JSON form, and what is refused."""

import json
from dataclasses import replace

import pytest

from reggan import RULES
from reggan.config import PRESETS, config_from_json, config_to_json, preset
from reggan.recipes import RECIPES, Harvest
from reggan.train import _usual_preset


@pytest.mark.parametrize(("name", "recipe"), [(name, recipe) for name in PRESETS for recipe in PRESETS[name]])
def test_every_preset_survives_json(name, recipe):
    config = preset(name, recipe)
    assert config.recipe.name == recipe
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_the_paper_preset_is_the_papers():
    config = preset("paper", "reggan")
    assert (config.size, config.data.images, config.batch_size) == (64, 10_000, 64)
    recipe = config.recipe
    assert (recipe.latent_dim, recipe.width, recipe.lr, recipe.beta1) == (100, 64, 2e-4, 0.5)
    assert recipe.classifier_steps == 15_000


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
    "size is 33": lambda raw: raw.update(size=33),
    "field steps": lambda raw: raw.update(steps="many"),
    "field precision": lambda raw: raw.update(precision="int3"),
    "fields that are unknown": lambda raw: raw.update(hue="red"),
    "field data.images": lambda raw: raw["data"].update(images=1.5),
    "field data.spec.count": lambda raw: raw["data"]["spec"].update(count=[1]),
    "unknown recipe 'vgan'; known: bigan, bigan-pgp, cdcgan, ": lambda raw: raw["recipe"].update(name="vgan"),
    "name its recipe": lambda raw: raw.pop("recipe"),
    "unknown rule": lambda raw: raw.update(rule="symmetrical"),
    "field recipe.lr|lr is": lambda raw: raw["recipe"].update(lr=-1.0),
    "lacks some": lambda raw: raw.pop("seed"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_json_names_the_field(message):
    with pytest.raises(ValueError, match=message):
        config_from_json(edited(BAD[message]))


@pytest.mark.parametrize("raw", [None, [], 3, "text", {}])
def test_json_of_another_kind_is_refused(raw):
    with pytest.raises(ValueError, match="recipe"):
        config_from_json(raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 1),
        ("ema", 1.0),
        ("seed", -1),
        ("workers", -1),
        ("size", 36),
        ("eval_images", 0),
    ],
)
def test_values_out_of_range_are_said(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, must be"):
        replace(preset(), **{field: value})


@pytest.mark.parametrize(
    ("recipe", "field", "value"),
    [
        ("dcgan", "pool", 0),
        ("dcgan", "real_label", 0.2),
        ("dcgan", "width", 0),
        ("harvest", "accept", 0.0),
        ("harvest", "feedback", 1.1),
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
    if config.recipe.name == "harvest":
        assert len([name for name in found if name.startswith("round")]) == 6


def test_a_warmup_in_steps_as_older_runs_have_it_is_said():
    with pytest.raises(ValueError, match=r"warmup is 8000\.0, must be from 0\.0 to 1\.0"):
        config_from_json(edited(lambda raw: raw["recipe"].update(warmup=8000)))


def test_unknown_names_name_the_known_ones():
    with pytest.raises(ValueError, match="unknown preset 'fast'; known: fine, pairs, paper, points, quick"):
        preset("fast")
    with pytest.raises(
        ValueError,
        match="unknown recipe 'stylegan'; known: bigan, bigan-pgp, cdcgan, ",
    ):
        preset("quick", "stylegan")


def test_the_budget_is_in_real_samples():
    for name, table in PRESETS.items():
        budgets = {config.steps * config.recipe.batches for recipe, config in table.items() if recipe != "toy-1d"}
        assert len(budgets) == 1, name


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_has_a_preset_of_its_own_samples(recipe):
    config = preset(_usual_preset(recipe), recipe)
    assert config.data.kind in config.recipe.makes
