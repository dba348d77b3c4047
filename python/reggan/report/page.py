"""The page of the report: what a run directory holds, put into the template report.html.jinja."""

from __future__ import annotations

import base64
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..files import atomic_write
from ..options import flatten
from . import figures
from .run import Run, Sheet, read_run

__all__ = ["write_report"]

EARLIER_SHEETS = 8
"""Sheets of earlier steps that the page shows at most."""


@dataclass(frozen=True)
class Measure:
    """How a figure of the summary is named, explained and written."""

    label: str
    about: str
    form: str = ".3f"


MEASURES = {
    "score": Measure("Mean exact score", ""),
    "one_piece": Measure("One-piece images", "share whose ink is a single component", ".1%"),
    "components": Measure("Components", "mean number of pieces in an image", ".2f"),
    "ink": Measure("Ink share", "share of pixels that are ink", ".1%"),
    "diversity": Measure("Diversity", "mean over the pixels of their standard deviation"),
    "modes": Measure("Modes found", "with a point within three standard deviations", ".0f"),
    "reverse_kl": Measure("Reverse KL", "of the points' modes to equal parts, in nats"),
    "wasserstein": Measure("Distance to the data", "Wasserstein-1, in standard deviations of the data"),
    "to_first": Measure("To the first kind", "Fréchet distance of translations to images of it", ".1f"),
    "to_second": Measure("To the second kind", "Fréchet distance of translations to images of it", ".1f"),
}
"""What the page knows of figures, in the order of the table; others are shown under their own name."""


@dataclass(frozen=True)
class Kind:
    """What a run makes, in words."""

    noun: str
    score: str
    """What the exact score tells."""


KINDS = {
    "images": Kind("images", "how well images obey the rule, from 0 to 1"),
    "pairs": Kind("translations", "what of an image is left on the way there and back, from 0 to 1"),
    "points": Kind("points", "share of points within three standard deviations of a mode"),
}


def write_report(run: Path) -> Path:
    """Write report.html into a run directory, finished or not, and return its path.

    The page is one file without scripts or anything from outside; it is replaced as a whole or not at all.

    Raises:
        ValueError: the directory is missing or is no run directory, or a file in it is damaged.
        OSError: a file cannot be read or the report cannot be written.
    """
    contents = read_run(run)
    kind = KINDS[contents.kind]
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
        noun=kind.noun,
        head=_head(contents),
        facts=_facts(contents),
        table=_table(contents, kind),
        score_plot=figures.score_plot(contents.metrics, contents.summary.get("data", {}).get("score")),
        histogram=figures.histogram(contents.scores) if contents.scores else None,
        sample_plots=figures.sample_plots(
            contents.metrics,
            contents.summary.get("data", {}),
            {name: measure.label for name, measure in MEASURES.items()},
            {name for name, measure in MEASURES.items() if measure.form.endswith("%")},
        ),
        loss_plots=figures.loss_plots(contents.metrics),
        pairs=_pairs(contents),
        earlier=_earlier(contents),
        groups=_groups(contents.config),
    )
    path = run / "report.html"
    atomic_write(path, page)
    return path


def _head(run: Run) -> list[tuple[str, str, str]]:
    """What stands under the title: words before, a value, and words behind."""
    options = flatten(run.config)
    subject = [("rule", str(options["rule"]), ""), ("", str(options["size"]), "pixels")]
    if run.kind == "points":
        subject = [("mixture", str(options["data.mixture"]), "")]
    elif run.kind == "pairs":
        subject = subject[1:]
    return [*subject, ("", f"{options['steps']:,}", "steps"), ("seed", str(options["seed"]), "")]


def _facts(run: Run) -> list[str]:
    """What the training took, and how its steps are counted."""
    facts = []
    if run.timings:
        rate = statistics.median(row["images_per_second"] for row in run.timings)
        facts.append(f"Trained for {_duration(run.seconds)}, at a median of {rate:,.0f} images a second.")
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


def _table(run: Run, kind: Kind) -> list[dict[str, str]]:
    """Rows of data against generator, with the ratio of the two."""
    if not run.summary:
        return []
    data, generator = run.summary["data"], run.summary["generator"]
    names = {**dict.fromkeys(MEASURES), **dict.fromkeys(data), **dict.fromkeys(generator)}
    rows = []
    for name in (name for name in names if name in data or name in generator):
        measure = MEASURES.get(name, Measure(name.replace("_", " "), "", ".4g"))
        both = name in data and name in generator and data[name] != 0
        rows.append(
            {
                "label": measure.label,
                "about": kind.score if name == "score" else measure.about,
                "data": format(data[name], measure.form) if name in data else "–",
                "generator": format(generator[name], measure.form) if name in generator else "–",
                "ratio": f"{generator[name] / data[name]:.2f}" if both else "–",
            }
        )
    return rows


def _pairs(run: Run) -> list[tuple[str, list[dict[str, Any]]]]:
    """Sheets of the data and of the last step: plain, and with the pieces told apart."""
    named = [("Data", "data")]
    if run.sampled_steps:
        named.append((f"Generator at step {run.sampled_steps[-1]:,}", f"step-{run.sampled_steps[-1]:08d}"))
    pairs = []
    for title, name in named:
        views = {"as they are": name, "largest piece black, others gray": f"{name}-pieces"}
        shown = [_image(run.sheets[file], view) for view, file in views.items() if file in run.sheets]
        if shown:
            pairs.append((title, shown))
    return pairs


def _earlier(run: Run) -> dict[str, Any]:
    """A choice of the sheets before the last one, evenly spaced, each with its score if it was evaluated."""
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
        (
            heading,
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()},
        )
        for heading, options in {"training": plain, **nested}.items()
    ]
