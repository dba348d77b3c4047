"""Rules against exact arithmetic."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

import reggan
from reggan import Circles, render
from reggan.rules import (
    RULES,
    Connected,
    Either,
    Ink,
    Not,
    Product,
    Rule,
    Solid,
    Symmetric,
    check_rule,
    min_channel,
    repair_samples,
    resolve_rule,
)
from reggan.rules import __main__ as listing


class Constant(Rule):
    edges = (0.5,)

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, images):
        return np.full(len(images), self.value, np.float32)


HALF = Constant(0.5)


def two_pieces(first: int, second: int) -> np.ndarray:
    """An image with two pieces of these areas, one row each."""
    image = np.full((3, max(first, second)), 255, np.uint8)
    image[0, :first] = image[2, :second] = 0
    return image


@pytest.mark.parametrize("name", RULES)
def test_every_rule_scores_within_0_and_1_and_has_a_class_for_each_score(name):
    rule = RULES[name]
    images = (np.random.default_rng(0).random((200, 9, 11)) * 255).astype(np.uint8)
    scores = rule(images)
    assert scores.shape == (200,)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    classes = rule.classify(scores)
    assert classes.min() >= 0
    assert classes.max() < rule.classes
    assert len(rule.values) == rule.classes
    assert rule.classify([0.0, 1.0]).tolist() == [0, rule.classes - 1]


def test_connected_is_the_share_of_the_largest_piece():
    assert Connected()(two_pieces(3, 1)[None])[0] == 0.75
    assert Connected()(two_pieces(5, 0)[None])[0] == 1
    assert Connected()(np.full((1, 4, 4), 255, np.uint8))[0] == 0


def test_symmetric_compares_an_image_with_its_mirror_image():
    image = np.full((1, 2, 4), 255, np.uint8)
    assert Symmetric()(image)[0] == 0
    image[0, 0, :3] = image[0, 1, 0] = 0
    # Of six pixels that are ink here or in the mirror, two are ink in both.
    assert Symmetric(1)(image)[0] == np.float32(2 / 6)
    assert Symmetric(0.5)(image)[0] == np.float32(4 / 6)
    assert Symmetric(0.3)(image / 255)[0] == 1
    mirrored = np.minimum(image, image[..., ::-1])
    assert Symmetric(1)(mirrored)[0] == 1
    with pytest.raises(ValueError, match="overlap is 0"):
        Symmetric(0)


def test_classes_are_tenths_rounded_half_up_for_every_share_of_pixels():
    shares = [(a, b) for b in range(1, 400) for a in range(b + 1)]
    scores = np.array([np.float32(a / b) for a, b in shares])
    exact = [int(Fraction(10 * a, b) + Fraction(1, 2)) for a, b in shares]
    assert Connected().classify(scores).tolist() == exact


def test_the_top_class_starts_at_095():
    assert Connected()(two_pieces(19, 1)[None])[0] == np.float32(0.95)
    assert Connected().classify(Connected()(two_pieces(19, 1)[None]))[0] == 10
    assert Connected().classify([np.nextafter(np.float32(0.95), np.float32(0))])[0] == 9


def test_two_rules_multiply():
    both = Connected() & HALF
    assert isinstance(both, Product)
    assert both(two_pieces(3, 1)[None])[0] == 0.375
    assert not both.has_classes
    assert both.classes == 11


@pytest.mark.parametrize(("ink", "score"), [(0, 0), (5, 0.5), (10, 1), (30, 1), (40, 1), (70, 0.5), (100, 0)])
def test_ink_is_within_its_bounds(ink, score):
    image = np.full(100, 255, np.uint8)
    image[:ink] = 0
    assert Ink(0.1, 0.4)(image.reshape(1, 10, 10))[0] == pytest.approx(score)


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.5), (0.5, 0.4), (0.5, 1.1)])
def test_bounds_of_ink_that_make_no_sense_are_refused(low, high):
    with pytest.raises(ValueError, match=f"ink is from {low} to {high}"):
        Ink(low, high)
    assert Ink(0, 1)(np.zeros((2, 3, 3), np.uint8)).tolist() == [1, 1]


def test_one_pixel_in_millions_is_seen():
    image = np.zeros((1, 8192, 8192), np.uint8)
    image[0, 0, 0] = 255
    for rule in (Ink(1, 1), Symmetric(1)):
        assert 0.999 < rule(image)[0] < 1
    image[0, 0, -1] = 255
    assert Symmetric(1)(image)[0] == 1


def test_solid_counts_holes():
    image = np.full((1, 9, 9), 255, np.uint8)
    assert Solid()(image)[0] == 0
    image[0, 1:8, 1:8] = 0
    assert Solid()(image)[0] == 1
    for holes, (row, column) in enumerate([(2, 2), (2, 4), (4, 2)], 1):
        image[0, row, column] = 255
        assert Solid()(image)[0] == np.float32(1 / (1 + holes))
    assert Solid().classify([1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2, 1]).tolist() == [0, 0, 1, 2, 3, 4]
    assert Solid().classify(Solid().values).tolist() == [0, 1, 2, 3, 4]
    assert Solid().values.tolist() == pytest.approx([1 / 5, 1 / 4, 1 / 3, 1 / 2, 1])


class Given(Constant):
    def __call__(self, images):
        return self.value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0.5, 0.5, 0.5], "a list for 3 images, but must return float32"),
        (np.array([True, False, True]), r"bool \(3,\) for 3 images"),
        (np.float32([0.5]), r"float32 \(1,\) for 3 images"),
        (np.float32([0, 1, 1.5]), r"scores an image 1\.5, but must score from 0 to 1"),
        (np.float32([0, 1, np.nan]), "must score from 0 to 1"),
    ],
)
def test_what_are_no_scores_is_said_before_a_training(given, message):
    with pytest.raises(ValueError, match=message):
        check_rule(Given(given), 32)
    check_rule(HALF, 32)


@pytest.mark.parametrize("name", RULES)
def test_thresholds_and_connectivities_that_make_no_sense_are_refused(name):
    for option in ("threshold=5", "threshold='a'", *(["connectivity=6"] if name in ("connected", "solid") else [])):
        with pytest.raises(ValueError, match=option.partition("=")[0]):
            resolve_rule(f"{name}({option})")


def test_rules_are_named_with_options_and_joined():
    assert resolve_rule("connected") is RULES["connected"]
    assert resolve_rule("ink(0.1, high=0.4)") == Ink(0.1, 0.4)
    assert resolve_rule("connected(connectivity=8) & solid & ink(0.1)") == Product(
        Product(Connected(connectivity=8), Solid()), Ink(0.1)
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "symmetrical",
        "connected &",
        "ink(x)",
        "ink(2)",
        "ink(1, 2, 3, 4)",
        "solid ^ ink",
        "-solid",
        "__import__('os')",
    ],
)
def test_what_is_no_rule_is_said(name):
    with pytest.raises(ValueError, match=f"known rules: {', '.join(RULES)}, combined by &"):
        resolve_rule(name)


def test_rules_are_combined_by_or_and_not():
    parsed = resolve_rule("connected & (solid | ~ink(0.1, 0.2))")
    assert parsed == Product(Connected(), Either(Solid(), Not(Ink(0.1, 0.2))))
    images = render(Circles(count=(1, 6)), 300, size=24)
    connected, solid, ink = (rule(images) for rule in (Connected(), Solid(), Ink(0.1, 0.2)))
    obeying = (connected == 1) & ((solid == 1) | (ink < 1))
    assert (parsed(images) == 1).tolist() == obeying.tolist()
    assert ((Solid() | Ink(0.1, 0.2))(images) == np.maximum(solid, ink)).all()
    assert len(set(obeying)) == 2


def test_a_repair_for_either_rule_is_the_smaller_one():
    images = render(Circles(count=(2, 6)), 60, size=24)
    either = Connected() | Ink(0.05, 0.2)
    repaired, one, other = (reggan.repair(images, rule) for rule in (either, Connected(), Ink(0.05, 0.2)))
    assert (repaired.scores == 1).all()
    assert (repaired.changed == np.minimum(one.changed, other.changed)).all()
    assert 0 < (repaired.changed == one.changed).sum() < 60


def test_what_must_not_obey_is_repaired_too():
    images = render(Circles(count=(1, 1), radius=(8.0, 12.0), blur=(0.0, 0.0)), 20, size=24)
    repaired = reggan.repair(images, ~Connected())
    assert (Connected()(images) == 1).all()
    assert (Connected()(repaired.images) < 1).all()
    assert (repaired.changed <= 2).all()


def test_a_rule_of_ones_own_is_found_by_its_import_path(monkeypatch, tmp_path):
    (tmp_path / "my_rules.py").write_text(
        "from dataclasses import dataclass\nfrom reggan import Connected, Rule\n"
        "loose = Connected(threshold=0.25, connectivity=8)\nnumber = 3\n"
        "@dataclass\nclass Changing(Rule):\n    limit: float = 0.5\n    def __call__(self, images): ...\n"
        "changing = Changing()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_rule("my_rules:loose") == Connected(0.25, 8)
    with pytest.raises(ValueError, match=r"is a int, not a reggan\.Rule"):
        resolve_rule("my_rules:number")
    with pytest.raises(ValueError, match=r"is a mutable Changing; make it a dataclass\(frozen=True\)"):
        resolve_rule("my_rules:changing")
    with pytest.raises(ValueError, match="cannot be loaded"):
        resolve_rule("my_rules:absent")
    for name in ("no_such_module:rule", "./my_rules:loose", ":loose"):
        with pytest.raises(ValueError, match="cannot be loaded"):
            resolve_rule(name)


OWN = """
from dataclasses import dataclass
import numpy as np
from reggan import Connected, Rule

@dataclass(frozen=True)
class Bridge(Rule):
    width: int = 1
    note: str = ""
    def __call__(self, images):
        return np.full(len(images), 1 / self.width, np.float32)

class Needy(Bridge):
    def __init__(self, width): ...

class Unfinished(Rule): ...

loose = Connected(threshold=0.25, connectivity=8)
"""


@pytest.fixture
def bridge(monkeypatch, tmp_path):
    """The class of rules in a module and in a package of one's own, `own_rules` and `own_package.deep_rules`."""
    (tmp_path / "own_package").mkdir()
    for path in ("own_rules.py", "own-rules.py", "own_package/deep_rules.py"):
        (tmp_path / path).write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda module="own_rules": sys.modules[module].Bridge
    for module in ("own_rules", "own-rules", "own_package", "own_package.deep_rules"):
        sys.modules.pop(module, None)


def test_rules_of_ones_own_are_joined_and_take_options(bridge):
    assert resolve_rule("own_rules:Bridge(3)") == bridge()(3)
    assert resolve_rule("own_rules:Bridge") == resolve_rule(" own_rules:Bridge() ") == bridge()()
    assert resolve_rule("connected & own_rules:loose") == Product(Connected(), Connected(0.25, 8))
    joined = resolve_rule("own_package.deep_rules:Bridge(width=3)&ink(0.1, 0.4)")
    assert joined == Product(bridge("own_package.deep_rules")(3), Ink(0.1, 0.4))
    assert resolve_rule("connected & (own_rules:Bridge(2) & own-rules:Bridge)") == Product(
        Connected(), Product(bridge()(2), bridge("own-rules")())
    )
    quoted = """own_rules:Bridge(2, note="a:b & c") & own_rules:Bridge(note='it\\'s:so')"""
    assert resolve_rule(quoted) == Product(bridge()(2, "a:b & c"), bridge()(1, "it's:so"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_rules:loose(1)", "own_rules:loose is a rule whose options are set; pass options to its class"),
        ("own_rules:Bridge(3, 4, 5)", "takes from 1 to 3 positional arguments"),
        ("own_rules:Bridge(thickness=3)", "unexpected keyword argument 'thickness'"),
        ("own_rules:Bridge(len('abc'))", "malformed node"),
        ("own_rules:Needy", "missing 1 required positional argument: 'width'"),
        ("own_rules:Unfinished", "abstract class"),
        ("connected & own_rules:absent", "own_rules:absent cannot be loaded: module 'own_rules' has no attribute"),
        ("connected & own_rules:dataclass(1)", r"own_rules:dataclass is a function, not a reggan\.Rule"),
        ("own_rules:np", "own_rules:np is a module, not"),
        ("builtins:list", "builtins:list is a type, not"),
        ("os:system('true')", "os:system is a builtin_function_or_method, not"),
        ("own_rules:loose ^ ink", r"own_rules:loose \^ ink is not a rule"),
        ("own_rules:loose.threshold", "own_rules:loose.threshold is not a rule"),
        ("own_rules:", "invalid syntax"),
        ("own_rules:3", "invalid syntax"),
        ("own['own_rules'].loose", r"own\['own_rules'\].loose is not a rule"),
        ("_own_module['own_rules'].loose", "_own_module is reserved"),
        ("ｏｗｎ_rules:loose & _ｏwn_module['own_rules'].loose", "_own_module is reserved"),
    ],
)
def test_what_is_no_rule_of_ones_own_is_said(bridge, name, message):
    with pytest.raises(ValueError, match=rf"unknown rule .*{message}.*; known rules: betti, bridge"):
        resolve_rule(name)


class Below(Rule):
    """Ink is what is below a gray, of images of one kind alone."""

    def __init__(self, gray):
        self.gray = gray

    def __call__(self, images):
        return (images < self.gray).mean((1, 2), dtype=np.float32)


class ByMask(Rule):
    def __call__(self, images):
        return reggan.ink_mask(images, threshold=0.4).mean((1, 2), dtype=np.float32)


class Gray(Rule):
    def __call__(self, images):
        white = 255 if images.dtype == np.uint8 else 1
        return np.clip(1 - images.mean((1, 2)) / white, 0, 1).astype(np.float32)


def test_a_rule_that_scores_floats_otherwise_is_said_before_a_training():
    for rule in (Below(128), Below(0.5)):
        with pytest.raises(ValueError, match=r"in uint8, but .* in float32; .*reggan\.ink_mask"):
            check_rule(rule, 32)
    for rule in (ByMask(), Gray(), *RULES.values()):
        check_rule(rule, 32)


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown rule 'conected': conected is not a rule; known rules: betti"):
        resolve_rule("conected")


def test_a_rule_that_fails_on_a_dtype_is_said_in_one_line():
    class OnlyBytes(Rule):
        def __call__(self, images):
            if images.dtype != np.uint8:
                raise TypeError("only uint8")
            return np.ones(len(images), np.float32)

    with pytest.raises(ValueError, match=r"fails on float32 images: TypeError\('only uint8'\); it must accept uint8"):
        check_rule(OnlyBytes(), 32)


def test_color_is_repaired_by_the_darkest_channel():
    images = reggan.render(reggan.Polygons(color=True), 40, size=32, dtype=np.uint8)
    assert images.shape == (40, 3, 32, 32)
    gray = min_channel(images)
    for method in ("erase", "slide"):
        repaired = repair_samples(Connected(), images, method=method)
        expected = Connected().repair(gray, method=method)
        np.testing.assert_array_equal(min_channel(repaired.images), expected.images)
        np.testing.assert_array_equal(repaired.changed, expected.changed)
        same = np.broadcast_to((expected.images == gray)[:, None], images.shape)
        np.testing.assert_array_equal(repaired.images[same], images[same])
        assert (repaired.scores == 1).all()
        assert repaired.changed.any()


def test_images_are_repaired_for_a_rule_by_name():
    images = reggan.render(reggan.Circles(), 12, size=32, dtype=np.uint8)
    repaired = reggan.repair(images, "connected & ink(0.1, 0.4)", seed=3)
    assert (resolve_rule("connected & ink(0.1, 0.4)")(repaired.images) == 1).all()
    assert (repaired.scores == 1).all()
    np.testing.assert_array_equal(repaired.changed, ((images <= 127) != (repaired.images <= 127)).sum((1, 2)))
    tensors = reggan.repair(torch.from_numpy(images), "connected & ink(0.1, 0.4)", seed=3)
    assert all(isinstance(each, torch.Tensor) for each in (tensors.images, tensors.changed, tensors.scores))
    np.testing.assert_array_equal(tensors.images.numpy(), repaired.images)
    for method in Connected.methods:
        found = reggan.repair(images, method=method)
        assert (found.scores == reggan.score(found.images)).all()
        assert (found.scores == 1).all()
    np.testing.assert_array_equal(reggan.repair(images).images, reggan.repair_by_search(images, Connected()).images)
    slid = reggan.repair(images / np.float32(255), method="slide").images
    np.testing.assert_array_equal(slid, reggan.repair_connected(images / np.float32(255), method="slide").images)
    for shape in ((32, 32), (1, 32, 32), (1, 1, 32, 32)):
        found = reggan.repair(images[0].reshape(shape), explain=True)
        np.testing.assert_array_equal(found.images, reggan.repair(images).images[0].reshape(shape))
        assert found.changed.shape == found.scores.shape == shape[:-2][:1]
    with pytest.raises(ValueError, match=r"images have shape \(12, 3, 32, 32\), but must be"):
        reggan.repair(np.stack([images] * 3, axis=1))
    with pytest.raises(ValueError, match=r"method is 'erase', must be one of search to repair Ink\("):
        reggan.repair(images, Ink(), method="erase")


@pytest.mark.parametrize("method", Connected.methods)
def test_a_product_is_repaired_by_methods_of_its_factors_and_a_search(method):
    rule = Connected(threshold=0.4) & Ink(0.15, 0.25, threshold=0.4)
    assert rule.known_methods() == Connected.methods
    images = reggan.render(reggan.Circles(), 60, seed=2, size=32, dtype=np.uint8)
    repaired = rule.repair(images, method=method, seed=5)
    assert (rule(repaired.images) == 1).all()
    assert (repaired.scores == 1).all()
    before, after = (reggan.ink_mask(each, threshold=0.4) for each in (images, repaired.images))
    np.testing.assert_array_equal(repaired.changed, (before != after).sum((1, 2)))
    joined = images if method == "search" else Connected(threshold=0.4).repair(images, method=method).images
    obeys = rule(joined) == 1
    assert obeys.any() == (method != "search")
    np.testing.assert_array_equal(repaired.images[obeys], joined[obeys])
    np.testing.assert_array_equal(rule.repair(repaired.images, method=method).images, repaired.images)


def test_a_product_that_cannot_be_repaired_leaves_the_better_image():
    rule = Connected() & Ink(0.6, 0.7)
    images = reggan.render(reggan.Circles(), 20, seed=2, size=32, dtype=np.uint8)
    repaired = rule.repair(images, method="erase", budget=1)
    assert (repaired.scores >= rule(images)).all()
    assert (repaired.scores < 1).all()
    np.testing.assert_array_equal(repaired.scores, rule(repaired.images))


class Upper(Connected):
    """A subclass with other scores: all ink is one piece in the upper half."""

    def __call__(self, images):
        return super().__call__(images[:, : images.shape[1] // 2])


def test_methods_of_repair_are_those_that_the_class_of_a_rule_lists():
    class Own(Connected):
        methods = ("whiten", "search")

        def repair_by(self, method, images, threads):
            white = np.full_like(images, 255)
            return reggan.Repaired(white, (images <= 127).sum((1, 2), dtype=np.int32), self(white))

    class Unfinished(reggan.Rule):
        methods = ("slide",)

        def __call__(self, images):
            return np.ones(len(images), np.float32)

    images = reggan.render(reggan.Circles(), 2, size=32, dtype=np.uint8)
    assert (Own().repair(images).images == 255).all()
    assert (Own().repair(images, method="search").images < 255).any()
    with pytest.raises(ValueError, match="must be one of whiten, search to repair"):
        Own().repair(images, method="slide")
    with pytest.raises(NotImplementedError, match="Unfinished lists 'slide' in methods, but defines no repair_by"):
        Unfinished().repair(images)


def test_a_subclass_is_repaired_by_its_own_scores():
    images = reggan.render(reggan.Circles(), 4, size=32, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"method is 'slide', must be one of search to repair Upper\("):
        Upper().repair(images, method="slide")
    repaired = Upper().repair(images)
    np.testing.assert_array_equal(repaired.scores, Upper()(repaired.images))
    assert (repaired.scores == 1).all()


def test_rules_are_listed_and_drawn(tmp_path, capsys):
    assert listing.main([]) == 0
    listed = capsys.readouterr().out
    assert list(listing.EXAMPLES) == list(RULES)
    for name, example in listing.EXAMPLES.items():
        assert f"{name}(" in listed
        assert type(resolve_rule(example)) is type(RULES[name])
    picture = tmp_path / "rules.png"
    assert listing.main(["connected & ink(0.2, 0.3)", "solid | clean", "--picture", str(picture)]) == 0
    assert "solid | clean\n" in capsys.readouterr().out
    with Image.open(picture) as drawn:
        assert min(drawn.size) > 256


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing"], 2, "nothing is not a rule"),
        (["ink(0, 1)", "--picture", "rules.png"], 1, "all of 400 rendered circles obey"),
        (["--picture", "absent/rules.png"], 1, "absent"),
    ],
)
def test_what_cannot_be_listed_or_drawn_is_said(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert listing.main(arguments) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
