"""Experiments in their smallest form: what they leave, and that they go on where they were."""

import json

import pytest
from PIL import Image

from reggan import experiment
from reggan.experiments import EXPERIMENTS, compare
from reggan.metrics import METRICS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    assert experiment.main(["compare", "--reduced", "--seeds", "2", "--out", str(out)]) == 0
    return out


def test_compare_leaves_tables_and_figures(results):
    found = json.loads((results / "results.json").read_text())
    assert found["seeds"] == 2
    assert found["reduced"] is True
    for recipe in compare.RECIPES:
        assert found["results"][recipe].keys() == {"score", *METRICS}
        for key, column in found["results"][recipe].items():
            alone = [
                json.loads((results / "runs" / f"{recipe}-seed{s}" / "summary.json").read_text())["summary"]
                for s in range(2)
            ]
            assert column["seeds"] == [summary["generator"][key] for summary in alone]
            assert column["mean"] == pytest.approx(sum(column["seeds"]) / 2)
    table = (results / "results.md").read_text()
    assert f"{found['results']['harvest']['score']['mean']:.3f} ±" in table
    for name in ("scores.png", "samples.png"):
        with Image.open(results / name) as image:
            assert min(image.size) > 200


def test_finished_runs_are_not_trained_again(results):
    before = {path: path.stat().st_mtime_ns for path in results.glob("runs/*/checkpoints/*")}
    assert experiment.main(["compare", "--reduced", "--seeds", "2", "--out", str(results)]) == 0
    assert {path: path.stat().st_mtime_ns for path in results.glob("runs/*/checkpoints/*")} == before


def test_runs_of_another_configuration_are_not_mixed_in(results, capsys):
    assert experiment.main(["compare", "--seeds", "1", "--out", str(results)]) == 1
    assert "is a run of another configuration" in capsys.readouterr().err


def test_the_list_names_every_experiment(capsys):
    assert experiment.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in EXPERIMENTS)


@pytest.mark.parametrize("arguments", [["no-such"], [], ["compare", "--seeds", "0"]])
def test_wrong_usage_ends_with_2(arguments, capsys):
    assert experiment.main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
