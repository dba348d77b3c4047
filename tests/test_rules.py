"""Rules against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from reggan.rules import RULES, Connected, Product, Rule, resolve_rule


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
    assert both.classes == 11
    assert (HALF & Connected()).classes == 2


def test_a_rule_of_ones_own_is_found_by_its_import_path(monkeypatch, tmp_path):
    (tmp_path / "my_rules.py").write_text(
        "from reggan import Connected\nloose = Connected(threshold=0.25, connectivity=8)\nnumber = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_rule("my_rules:loose") == Connected(0.25, 8)
    with pytest.raises(ValueError, match=r"is a int, not a reggan\.Rule"):
        resolve_rule("my_rules:number")
    with pytest.raises(ValueError, match="cannot be loaded"):
        resolve_rule("my_rules:absent")
    with pytest.raises(ValueError, match="cannot be loaded"):
        resolve_rule("no_such_module:rule")


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown rule 'conected'; known rules: connected"):
        resolve_rule("conected")
