"""The page of the report: the contents of a run directory in the template report.html.jinja."""

from __future__ import annotations

import base64
import json
import statistics
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..files import atomic_write
from ..options import flatten
from ..tables import describe, order
from . import figures
from .run import Run, Sheet, read_run

__all__ = ["write_report"]

EARLIER_SHEETS = 8
"""The most sheets of earlier steps that the page shows."""

KINDS = {
    "images": ("images", "how well images obey the rule, from 0 to 1"),
    "pairs": ("translations", "how much of an image survives its translation and back, from 0 to 1"),
    "points": ("points", "share of points within three standard deviations of a mode"),
}
"""What a run generates, and the meaning of its score."""


def write_report(run: Path) -> Path:
    """Write report.html into a run directory, finished or not, and return its path.

    The page is one file without scripts or external resources. A directory that is no run, or a damaged file in it, is
    a ValueError.
    """
    contents = read_run(run)
    noun, meaning = KINDS[contents.kind]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.jinja").render(
        run=contents,
        options=flatten(contents.config),
        noun=noun,
        head=_head(contents),
        facts=_facts(contents),
        table=_table(contents, meaning),
        score_plot=figures.score_plot(contents.metrics, contents.summary.get("data", {}).get("score")),
        histogram=figures.histogram(contents.scores) if contents.scores else None,
        sample_plots=figures.sample_plots(contents.metrics, contents.summary.get("data", {})),
        loss_plots=figures.loss_plots(contents.metrics),
        pairs=_pairs(contents),
        earlier=_earlier(contents),
        groups=_groups(contents.config),
    )
    path = run / "report.html"
    atomic_write(path, page)
    return path


def _head(run: Run) -> list[tuple[str, str, str]]:
    """The line under the title, as (words before, value, words after)."""
    options = flatten(run.config)
    subject = [("rule", str(options["rule"]), ""), ("", str(options["size"]), "pixels")]
    if run.kind == "points":
        subject = [("mixture", str(options["data.mixture"]), "")]
    elif run.kind == "pairs":
        subject = subject[1:]
    return [*subject, ("", f"{options['steps']:,}", "steps"), ("seed", str(options["seed"]), "")]


def _facts(run: Run) -> list[str]:
    """Duration of the training, and how its steps are counted."""
    facts = []
    if run.timings:
        rate = statistics.median(row["images_per_second"] for row in run.timings)
        facts.append(f"Trained for {_duration(run.seconds)}, at a median of {rate:,.0f} {run.kind} a second.")
    if len(run.stages) > 1:
        start = run.steps_before_generator
        generator = f"; the generator trains from step {start + 1:,} on" if start else ""
        facts.append(f"Steps count through all stages: {', '.join(run.stages)}{generator}.")
    return facts


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _table(run: Run, meaning: str) -> list[dict[str, str]]:
    """Rows of the metrics of data and generator, and their ratio."""
    data, generator = run.summary.get("data", {}), run.summary.get("generator", {})
    rows = []
    for name in order(data.keys() | generator.keys()):
        metric, (first, second) = describe(name), (data.get(name), generator.get(name))
        rows.append(
            {
                "label": metric.label,
                "about": meaning if name == "score" else metric.about,
                "data": metric.cell(first),
                "generator": metric.cell(second),
                "ratio": f"{second / first:.2f}" if first and second is not None else "–",
            }
        )
    return rows


def _pairs(run: Run) -> list[tuple[str, list[dict[str, Any]]]]:
    """Sheets of the data and of the last step: plain, and with the largest piece highlighted."""
    named = [("Data", "data")]
    if run.sampled_steps:
        named.append((f"Generator at step {run.sampled_steps[-1]:,}", f"step-{run.sampled_steps[-1]:08d}"))
    pairs = []
    for title, name in named:
        views = {"plain": name, "largest piece black, others gray": f"{name}-pieces"}
        shown = [_image(run.sheets[file], view) for view, file in views.items() if file in run.sheets]
        if shown:
            pairs.append((title, shown))
    return pairs


def _earlier(run: Run) -> dict[str, Any]:
    """Evenly spaced sheets before the last one, each with its score if it was evaluated."""
    steps = run.sampled_steps[:-1]
    count = min(len(steps), EARLIER_SHEETS)
    chosen = [steps[round(k * (len(steps) - 1) / max(count - 1, 1))] for k in range(count)]
    scores = {row["step"]: row["samples/score"] for row in run.metrics if "samples/score" in row}
    images = []
    for step in chosen:
        name = f"step-{step:08d}"
        score = f", score {scores[step]:.3f}" if step in scores else ""
        images.append(_image(run.sheets.get(f"{name}-pieces", run.sheets[name]), f"step {step:,}{score}"))
    return {"images": images, "of": len(steps)}


def _image(sheet: Sheet, caption: str) -> dict[str, Any]:
    source = f"data:image/png;base64,{base64.b64encode(sheet.png).decode()}"
    return {"source": source, "width": sheet.width, "height": sheet.height, "caption": caption}


def _groups(config: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The configuration as (heading, {option: value}): plain options, then a group for each nested object."""
    plain = {key: value for key, value in config.items() if not isinstance(value, dict)}
    nested = {key: flatten(value) for key, value in config.items() if isinstance(value, dict)}
    return [
        (heading, {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()})
        for heading, options in {"training": plain, **nested}.items()
    ]
