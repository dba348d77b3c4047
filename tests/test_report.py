"""The report: what it shows of a run, that it needs nothing but itself, and what it makes of half a run."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reggan.checkpoint import FORMAT
from reggan.options import flatten
from reggan.presets import preset
from reggan.report import figures, write_report
from reggan.report.run import read_run
from reggan.runs import RunDirectory

CONFIG = {
    "recipe": {"name": "reggan", "width": 24},
    "data": {"spec": {"count": [11, 18]}},
    "rule": "connected",
    "size": 32,
    "steps": 1200,
    "seed": 7,
}
MADE_BY = {"reggan": "0.1.0", "threads": 2}
SUMMARY = {
    "data": {"score": 0.34, "components": 8.25, "diversity": 0.31, "ink": 0.2, "one_piece": 0.0},
    "generator": {"score": 0.867, "components": 1.5, "diversity": 0.279, "ink": 0.21, "one_piece": 0.4375},
}
SCORES = {"data": [0.2, 0.2, 0.35, 0.61], "generator": [1.0, 0.99, 0.5]}


def metric_lines():
    """600 steps of the classifier alone, then 1200 of the generator, which is evaluated every 300."""
    for step in range(50, 1801, 50):
        generator_step = max(0, step - 600)
        line = {
            "step": step,
            "stage": "gan" if generator_step else "classifier",
            "generator_step": generator_step,
        }
        if not generator_step:
            line |= {"classifier/loss": 2 / step, "classifier/accuracy": step / 700}
        else:
            line |= {"discriminator/loss": 1.2, "discriminator/on_real": 0.6, "discriminator/on_fake": 0.4}
            line |= {"generator/loss": 0.7, "rule/loss": 1.5}
        if generator_step and generator_step % 300 == 0:
            share = generator_step / 1200
            line |= {"samples/score": 0.5 * share, "samples/expected_score": 0.9 * share}
            line |= {"samples/ink": 0.2 * share, "samples/one_piece": 0.4 * share}
        yield line


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_config(run, **changes):
    described = {"format": FORMAT, "made_by": MADE_BY, "config": CONFIG} | changes
    (run / "config.json").write_text(json.dumps(described))


@pytest.fixture
def run(tmp_path):
    """A finished run with sheets at steps 900, 1200, 1500 and 1800."""
    path = tmp_path / "my-run"
    (path / "samples").mkdir(parents=True)
    write_config(path)
    write_lines(path / "metrics.jsonl", metric_lines())
    seconds = [(50, 10.0), (900, 100.0), (950, 120.0), (1800, 195.5)]
    write_lines(
        path / "timings.jsonl",
        [{"step": step, "seconds": s, "images_per_second": 300 + step} for step, s in seconds],
    )
    (path / "summary.json").write_text(json.dumps({"summary": SUMMARY, "scores": SCORES}))
    rng = np.random.default_rng(0)
    for name in ("data", *[f"step-{step:08d}" for step in (900, 1200, 1500, 1800)]):
        for suffix in ("", "-pieces"):
            pixels = rng.integers(0, 256, (40, 60), np.uint8)
            Image.fromarray(pixels).save(path / "samples" / f"{name}{suffix}.png")
    return path


class Page(HTMLParser):
    """What a browser would find in a page: elements with their text, in order."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, html):
        super().__init__()
        self.html = html
        self.open = []
        self.elements = []
        self.feed(html)
        self.close()
        assert self.open == [], "elements that nothing closes"

    def handle_starttag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})
        if tag not in self.VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})

    def handle_endtag(self, tag):
        assert self.open, f"nothing is open at </{tag}>"
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def texts(self, tag):
        return [" ".join(element["text"].split()) for element in self.all(tag)]

    def images(self):
        return [base64.b64decode(image["src"].partition("base64,")[2]) for image in self.all("img")]


def report(run):
    path = write_report(run)
    assert path == run / "report.html"
    return Page(path.read_text())


def test_header_names_the_run(run):
    page = report(run)
    assert page.texts("h1") == ["reggan"]
    assert page.texts("span")[:5] == ["rule connected", "32 pixels", "1,200 steps", "seed 7", "my-run"]
    assert page.texts("title") == ["reggan, connected, seed 7 – my-run"]
    assert "Made by reggan 0.1.0, threads 2." in page.texts("footer")[0]


def test_header_gives_time_and_steps(run):
    facts = " ".join(report(run).texts("p"))
    assert "Trained for 3 min 16 s, at a median of 1,225 images a second." in facts
    assert "classifier, gan; the generator trains from step 601 on." in facts


def test_table_sets_generator_against_data(run):
    page = report(run)
    heads = page.texts("th")
    assert heads[:4] == ["3 generated images against 4 of the data", "data", "generator", "ratio"]
    for head, label in zip(heads[4:], ("exact score", "one piece", "pieces an image", "ink", "diversity"), strict=True):
        assert head.startswith(label)
    assert np.array(page.texts("td")).reshape(-1, 3).tolist() == [
        ["0.340", "0.867", "2.55"],
        ["0.0%", "43.8%", "–"],
        ["8.25", "1.50", "0.18"],
        ["20.0%", "21.0%", "1.05"],
        ["0.310", "0.279", "0.90"],
    ]


def test_parts_come_in_order(run):
    html = report(run).html
    order = [
        "<h1>", "<table>", "Mean score of samples", "Share of samples by exact score", ">Samples<",
        ">Data<", "Generator at step 1,800", "Earlier steps", ">Losses<", "<details>", "<footer>",
    ]  # fmt: skip
    places = [html.index(part) for part in order]
    assert places == sorted(places)


def test_sheets_are_the_files_themselves(run):
    page = report(run)
    names = ["data", "data-pieces", "step-00001800", "step-00001800-pieces"]
    earlier = [f"step-{step:08d}-pieces" for step in (900, 1200, 1500)]
    assert page.images() == [(run / "samples" / f"{name}.png").read_bytes() for name in names + earlier]
    assert all((image["width"], image["height"]) == ("60", "40") for image in page.all("img"))
    assert {"step 900, score 0.125", "step 1,200, score 0.250"} < set(page.texts("figcaption"))


def test_of_many_earlier_sheets_a_few_are_chosen_from_first_to_last(run):
    sheet = run / "samples" / "step-00001800.png"
    for step in range(1, 31):
        shutil.copy(sheet, sheet.with_name(f"step-{step:08d}.png"))
    page = report(run)
    shown = [text for text in page.texts("figcaption") if text.startswith("step ")]
    assert len(shown) == 8
    assert shown[0].startswith("step 1")
    assert shown[-1].startswith("step 1,500")
    assert "Earlier steps (8 of 33)" in page.texts("h3")


def test_page_needs_nothing_from_outside(run):
    page = report(run)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"https?:|//[a-z]|@import", re.sub(r"base64,[^\"]*", "", page.html))
    for element in page.elements:
        for name in ("src", "href", "xlink:href"):
            assert element.get(name, "#").startswith(("#", "data:image/png;base64,"))
        assert not [name for name in element if name.startswith("on")]


def test_ids_are_unique_and_references_resolve(run):
    page = report(run)
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", page.html))
    assert references
    assert {first or second for first, second in references} <= set(ids)


def test_colors_of_figures_are_all_defined_for_light_and_dark(run):
    html = report(run).html
    used = set(re.findall(r"var\(--([a-z]+)\)", html))
    assert {"generator", "expected", "data", "muted", "line"} <= used
    for name in used:
        assert len(re.findall(rf"--{name}:", html)) == 2
    assert not set(figures.COLORS.values()) & set(re.findall(r"#[0-9a-f]{6}", html))


def test_names_from_the_run_are_escaped(run):
    evil = "<script>alert('$x$')</script>"
    write_config(run, config=CONFIG | {"recipe": {"name": evil, evil: evil}}, made_by={evil: evil})
    lines = [{"step": 1, "stage": evil, "generator_step": 1, f"{evil}/loss": 1.0, f"samples/{evil}": 1.0}]
    write_lines(run / "metrics.jsonl", lines)
    page = report(run)
    assert not page.all("script")
    assert page.texts("h1") == [evil]


def test_writing_twice_gives_the_same_bytes_whatever_the_users_style(run):
    first = write_report(run).read_bytes()
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "red", "svg.fonttype": "path", "xtick.major.size": 30}):
        styled = dict(matplotlib.rcParams)
        assert write_report(run).read_bytes() == first
        assert dict(matplotlib.rcParams) == styled
    assert dict(matplotlib.rcParams) == before
    assert not list(run.glob(".*"))


def titles(page):
    return [text for text in page.texts("b") if not re.fullmatch(r"[\d,]+|connected", text)]


def test_panels_follow_from_the_names_in_the_metrics(run):
    assert titles(report(run)) == [
        "Mean score of samples",
        "Share of samples by exact score",
        "one piece",
        "ink",
        "classifier: loss",
        "classifier: accuracy",
        "discriminator: loss",
        "discriminator",
        "generator: loss",
        "rule: loss",
    ]


def test_a_recipe_with_other_phases_gets_panels_for_them(run):
    lines = [
        {
            "step": s,
            "stage": "gan",
            "generator_step": s,
            "cycle/loss": 1 / s,
            "cycle/kl_term": 2.0,
            "samples/fid": 9.0,
        }
        for s in (1, 2, 3)
    ]
    write_lines(run / "metrics.jsonl", lines)
    page = report(run)
    assert titles(page) == ["Share of samples by exact score", "fid", "cycle: loss", "cycle: kl term"]
    assert "No samples have been evaluated yet." in page.texts("li")


def points(svg, color, dashed=False):
    """Coordinates of the line of a color in an SVG, in its pixels, the y axis downward."""
    paths = re.findall(r'<path d="([^"]+)"[^>]*style="([^"]+)"', svg)
    lines = [
        d
        for d, style in paths
        if f"stroke: var(--{color})" in style and ("dasharray" in style) == dashed and "fill: none" in style
    ]
    return np.array(re.findall(r"[ML] (\S+) (\S+)", lines[-1]), np.float64)


def test_score_figure_draws_exact_and_expected_score_and_the_data():
    metrics = list(metric_lines())
    plot = figures.score_plot(metrics, 0.25)
    assert [key.label for key in plot.keys] == [
        "generator, exact",
        "generator, as the classifier expects",
        "data",
    ]
    zero, one = 260, 10  # pixel rows of scores 0 and 1
    exact, expected = points(plot.svg, "generator"), points(plot.svg, "expected")
    assert (zero - exact[:, 1]) / (zero - one) == pytest.approx([0.125, 0.25, 0.375, 0.5], abs=1e-4)
    assert (zero - expected[:, 1]) / (zero - one) == pytest.approx([0.225, 0.45, 0.675, 0.9], abs=1e-4)
    assert np.diff(exact[:, 0]) == pytest.approx(np.full(3, np.diff(exact[:, 0])[0]), abs=1e-4)
    level = points(plot.svg, "data", dashed=True)
    assert (zero - level[:, 1]) / (zero - one) == pytest.approx([0.25, 0.25], abs=1e-4)


def test_score_figure_without_classifier_or_summary_has_one_line():
    metrics = [{"step": 1, "samples/score": 0.5}, {"step": 2, "samples/score": 0.75}]
    plot = figures.score_plot(metrics, None)
    assert [key.label for key in plot.keys] == ["generator, exact"]
    assert "var(--expected)" not in plot.svg
    assert "var(--data)" not in plot.svg
    assert figures.score_plot([{"step": 1, "rule/loss": 1.0}], 0.3) is None


def test_sample_panels_have_the_datas_value_where_it_is_known():
    metrics = [
        {"step": 1, "samples/ink": 0.1, "samples/fid": 3.0},
        {"step": 2, "samples/ink": 0.2, "samples/fid": 2.0},
    ]
    ink, fid = figures.sample_plots(metrics, {"ink": 0.4})
    assert (ink.title, fid.title) == ("ink", "fid")
    assert "var(--data)" not in fid.svg
    (_, level), _ = points(ink.svg, "data", dashed=True)
    (_, first), (_, second) = points(ink.svg, "generator")
    assert level < second < first
    assert (150 - level) / (150 - second) == pytest.approx(2, abs=1e-3)
    assert ">20%<" in ink.svg


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_shares_count_scores_by_bins_with_their_lower_edge(thousandths):
    expected = np.zeros(20)
    for score in thousandths:
        expected[min(score // 50, 19)] += 1 / len(thousandths)
    assert figures.shares([score / 1000 for score in thousandths]) == pytest.approx(expected)


@given(st.lists(st.floats(-1e3, 1e3), max_size=40), st.integers(0, 4))
def test_smooth_is_the_mean_of_the_neighbors_there_are(values, reach):
    reach = min(reach, max(0, (len(values) - 1) // 2))
    expected = [np.mean(values[max(0, k - reach) : k + reach + 1]) for k in range(len(values))]
    assert figures.smooth(np.array(values), 2 * reach + 1) == pytest.approx(expected, abs=1e-9)


def test_thin_keeps_ends_and_extremes():
    steps = np.arange(100_000.0)
    values = np.sin(steps / 999)
    values[12_345], values[54_321] = 50, -50
    few_steps, few = figures.thin(steps, values)
    assert len(few) <= 1000
    assert (few.min(), few.max()) == (-50, 50)
    assert (np.diff(few_steps) > 0).all()
    assert (few == values[few_steps.astype(int)]).all()
    assert (figures.thin(steps[:1000], values[:1000])[1] == values[:1000]).all()


def test_values_that_are_not_finite_leave_a_gap():
    metrics = [{"step": s, "a/loss": v} for s, v in ((1, 1.0), (2, float("nan")), (3, float("inf")), (4, 2.0))]
    curve = figures.Curve.read(metrics, "a/loss")
    assert (curve.steps.tolist(), curve.values.tolist()) == ([1, 4], [1, 2])
    assert figures.loss_plots(metrics)[0].title == "a: loss"


def test_configuration_is_listed_whole(run):
    page = report(run)
    listed = dict(zip(page.texts("dt"), page.texts("dd"), strict=True))
    assert listed == {
        "rule": "connected", "size": "32", "steps": "1200", "seed": "7",
        "name": "reggan", "width": "24", "spec.count": "[11, 18]",
    }  # fmt: skip
    assert "open" not in page.all("details")[0]
    assert flatten({"a": {"b": {"c": 1}}, "d": {}}) == {"a.b.c": 1, "d": {}}


@pytest.mark.parametrize(
    ("missing", "note"),
    [
        ("summary.json", "This run is unfinished at step 1,800: there is no summary.json yet."),
        ("metrics.jsonl", "There is no metrics.jsonl."),
        ("timings.jsonl", "There is no timings.jsonl."),
        ("samples", "There are no sheets in samples/ yet."),
    ],
)
def test_what_is_missing_is_said(run, missing, note):
    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = report(run)
    assert page.texts("li") == [note]
    assert bool(page.all("table")) == (missing != "summary.json")
    assert bool(page.all("img")) == (missing != "samples")


def test_what_is_undefined_is_a_dash_and_no_point_of_a_curve(run):
    *before, last = metric_lines()
    write_lines(run / "metrics.jsonl", [*before, last | {"samples/ink": None, "generator/loss": None}])
    summary = {"data": SUMMARY["data"] | {"ink": None}, "generator": SUMMARY["generator"] | {"one_piece": None}}
    (run / "summary.json").write_text(json.dumps({"summary": summary, "scores": SCORES}))
    page = report(run)
    rows = page.texts("td")
    assert [rows[rows.index("21.0%") + k] for k in (-1, 0, 1)] == ["–", "21.0%", "–"]
    assert page.texts("li") == []
    contents = read_run(run)
    assert "samples/ink" not in contents.metrics[-1]
    assert figures.Curve.read(contents.metrics, "samples/ink").steps.tolist() == [900, 1200, 1500]


def test_a_whole_run_has_no_notes(run):
    assert report(run).texts("li") == []


def test_a_run_that_has_only_begun_has_a_report(tmp_path):
    write_config(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("")
    page = report(tmp_path)
    assert page.texts("li") == [
        "This run is unfinished: there is no summary.json yet.",
        "metrics.jsonl has no lines yet.",
        "There is no timings.jsonl.",
        "There are no sheets in samples/ yet.",
    ]
    assert {"There are no samples yet.", "There are no losses yet."} <= set(page.texts("p"))
    assert not page.all("svg")


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_short_is_left_out(run, cut):
    path = run / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(read_run(run).metrics) == 35
    assert report(run).texts("li") == ["metrics.jsonl ends in an unfinished line, which is left out."]


@pytest.mark.parametrize("length", [0, 10, 30, 200])
def test_a_sheet_that_was_cut_short_is_left_out(run, length):
    path = run / "samples" / "step-00001800.png"
    path.write_bytes(path.read_bytes()[:length])
    page = report(run)
    assert page.texts("li") == ["samples/step-00001800.png is unfinished or damaged, and is left out."]
    assert all(Image.open(io.BytesIO(png)).size == (60, 40) for png in page.images())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "is not a run directory: .*config.json does not exist"),
        ("config.json", "{", "config.json is damaged"),
        ("config.json", "[]", "config.json is damaged: it holds list"),
        (
            "config.json",
            json.dumps({"format": FORMAT, "made_by": {}, "config": CONFIG, "resumed": [1]}),
            "no list of changes",
        ),
        ("config.json", '{"format": 1}', "has format 1, .* reads format 3; use the version that wrote it"),
        ("config.json", '{"format": 3, "made_by": {}}', "needs the objects config and made_by"),
        (
            "config.json",
            '{"format": 3, "made_by": {}, "config": {"rule": "x", "steps": 1}}',
            "lacks recipe.name, size, seed",
        ),
        (
            "metrics.jsonl",
            '{"step": 1}\n',
            "metrics.jsonl is damaged in line 1: it lacks stage, generator_step",
        ),
        ("timings.jsonl", "{}\n", "timings.jsonl is damaged in line 1: it lacks step, seconds"),
        ("timings.jsonl", "3\n", "in line 1: it holds int, must hold an object"),
        ("timings.jsonl", "\0\n", "timings.jsonl is damaged in line 1"),
        (
            "timings.jsonl",
            '{"step": 1, "seconds": "x", "images_per_second": 1}\n',
            "line 1: seconds is 'x', must be a number",
        ),
        ("summary.json", "{}", "summary must be an object with data and generator"),
        (
            "summary.json",
            '{"summary": {"data": {}, "generator": 3}, "scores": {}}',
            "scores must be an object",
        ),
        (
            "summary.json",
            '{"summary": {"data": {}, "generator": 3}, "scores": {"data": [], "generator": []}}',
            "summary.generator must be an object",
        ),
        (
            "summary.json",
            '{"summary": {"data": {}, "generator": {}}, "scores": {"data": [], "generator": [1]}}',
            "scores.data must be a list of at least one score",
        ),
        (
            "summary.json",
            '{"summary": {"data": {}, "generator": {}}, "scores": {"data": [0], "generator": [NaN]}}',
            "scores.generator must be from 0 to 1",
        ),
        (
            "summary.json",
            '{"summary": {"data": {"ink": "x"}, "generator": {}}, "scores": {"data": [], "generator": []}}',
            "ink is 'x', must be a number",
        ),
    ],
)
def test_damage_is_an_error_that_names_the_file(run, name, content, message):
    (run / "report.html").write_text("an earlier report")
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        write_report(run)
    assert (run / "report.html").read_text() == "an earlier report"


def test_a_directory_that_does_not_exist_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere is not a run directory: .*nowhere does not exist; give"):
        write_report(tmp_path / "nowhere")


def test_a_run_of_the_trainer_is_understood(tmp_path):
    run = tmp_path / "run"
    config = preset("quick", "dcgan")
    config = replace(
        config,
        recipe=replace(config.recipe, width=4),
        data=replace(config.data, images=100),
        steps=4,
        batch_size=4,
        device="cpu",
        precision="float32",
        log_every=1,
        eval_every=2,
        eval_images=8,
        sample_every=2,
    )
    summary = RunDirectory.create(run, config).train(log=False)
    page = report(run)
    assert page.texts("li") == []
    assert page.texts("td")[:2] == [f"{summary[name]['score']:.3f}" for name in ("data", "generator")]
    assert "Generator at step 4" in page.texts("h3")
    assert {"discriminator: loss", "generator: loss"} < set(titles(page))
    assert len(page.images()) == 5


@pytest.mark.parametrize(
    ("data", "head", "noun", "title"),
    [
        ({"mixture": "ring-8"}, ["mixture ring-8", "1,200 steps"], "points", "reggan, ring-8, seed 7 – my-run"),
        (
            {"first": {}, "second": {}},
            ["32 pixels", "1,200 steps"],
            "translations",
            "reggan, 32 pixels, seed 7 – my-run",
        ),
    ],
)
def test_points_and_pairs_are_called_by_their_names(run, data, head, noun, title):
    described = json.loads((run / "config.json").read_text())
    described["config"]["data"] = data
    (run / "config.json").write_text(json.dumps(described))
    page = report(run)
    assert page.texts("span")[:2] == head
    assert page.texts("title") == [title]
    assert page.texts("th")[0] == f"3 generated {noun} against 4 of the data"
