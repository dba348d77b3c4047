"""The balanced set: equal classes, no image that obeys the rule, the same batches for any workers."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from reggan import Connected, analyze, render, score
from reggan.data import BalancedSelection, BlobDataset, Blobs, BlobStream, load_batches

RULE = Connected()
FLAT = Blobs().spec


@pytest.mark.parametrize("size", [32, 64])
def test_classes_are_balanced_exactly_and_no_image_is_one_piece(size):
    images = Blobs().select(size, RULE).render(np.arange(3000))
    classes = RULE.classify(score(images))
    assert np.bincount(classes, minlength=11).tolist() == [0] + [300] * 10
    assert analyze(images).count.min() > 1


def test_every_run_of_ten_holds_each_class_once():
    classes = RULE.classify(score(Blobs().select(32, RULE).render(np.arange(500))))
    assert (np.sort(classes.reshape(-1, 10), axis=1) == np.arange(1, 11)).all()


def test_access_is_random_and_images_differ():
    selection = BalancedSelection(FLAT, 32)
    far = np.array([12_345, 7, 999, 1000, 7])
    images = selection.render(far)
    assert (images[1] == images[4]).all()
    for position, image in zip(far, images, strict=True):
        assert (selection.render([position])[0] == image).all()
    assert len(np.unique(selection[0:5000])) == 5000


def test_selection_is_what_a_plain_scan_accepts():
    selection = BalancedSelection(FLAT, 32, seed=5, classes=(3, 7), below=0.72)
    block = 2
    candidates = (block << 32) + np.arange(6000, dtype=np.uint64)
    scores = score(render(FLAT, candidates, seed=5, size=32))
    classes = np.where(scores < 0.72, np.floor(10 * scores + 0.5), -1)
    expected = np.stack([candidates[classes == c][:100] for c in (3, 7)], axis=1).ravel()
    assert (selection[2 * 200 : 3 * 200] == expected).all()


def test_a_class_that_cannot_occur_is_said(monkeypatch):
    monkeypatch.setattr("reggan.data.selection._PATIENCE", 4096)
    with pytest.raises(ValueError, match=r"too few images of some score class .*0: 0"):
        BalancedSelection(FLAT, 32, classes=(0, 5))[0:1]


@pytest.mark.parametrize("classes", [(), (11,), (-1,), (3, 3)])
def test_classes_that_the_rule_does_not_have_are_an_error(classes):
    with pytest.raises(ValueError, match="must be different numbers from 0 to 10"):
        BalancedSelection(FLAT, 32, classes=classes)


def test_map_style_items_and_batches_agree():
    dataset = BlobDataset(Blobs(images=130), 32, RULE)
    assert len(dataset) == 130
    image, exact, class_ = dataset[17]
    assert image.shape == (1, 32, 32)
    assert image.dtype == torch.uint8
    assert exact == score(image.numpy())[0]
    assert class_ == RULE.classify([exact])[0]
    for item, (k, other) in zip(dataset.__getitems__([3, 17, -1]), [(0, 3), (1, 17), (2, 129)], strict=True):
        assert torch.equal(item[0], dataset[other][0]), k
    with pytest.raises(IndexError, match="outside a set of 130"):
        dataset[130]


@pytest.mark.parametrize("images", [0, 50])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_batches_are_the_same_for_any_workers(images, method):
    data = Blobs(images=images)
    alone = list(itertools.islice(load_batches(data, 32, RULE, 16, seed=3), 5))
    dataset = BlobStream(data, 32, RULE, 16) if images == 0 else BlobDataset(data, 32, RULE)
    if images == 0:
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
        found = list(itertools.islice(loader, 5))
        for one, other in zip(alone, found, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    else:
        loader = DataLoader(dataset, batch_size=10, num_workers=2, multiprocessing_context=method)
        together = torch.cat([batch[0] for batch in loader])
        assert torch.equal(together, torch.stack([dataset[k][0] for k in range(50)]))


@pytest.mark.parametrize("images", [0, 50])
def test_loading_starts_anywhere(images):
    data = Blobs(images=images)
    whole = list(itertools.islice(load_batches(data, 32, RULE, 16, seed=3), 8))
    for start in (1, 3, 7):
        first = next(load_batches(data, 32, RULE, 16, seed=3, start=start))
        assert all(torch.equal(a, b) for a, b in zip(first, whole[start], strict=True))


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order():
    batches = itertools.islice(load_batches(Blobs(images=60), 32, RULE, 8, seed=1), 15)
    images = torch.cat([batch[0] for batch in batches]).flatten(1).numpy()
    first, second = images[:60], images[60:]
    assert len(np.unique(first, axis=0)) == 60
    assert not (first == second).all()
    assert sorted(map(bytes, first)) == sorted(map(bytes, second))


def test_loading_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    next(load_batches(Blobs(), 32, RULE, 4))
    next(load_batches(Blobs(images=20), 32, RULE, 4))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("field", "value"), [("images", -1), ("below", 0.0), ("below", 1.5)])
def test_bad_fields_are_said(field, value):
    with pytest.raises(ValueError, match=f"data.{field} is {value}"):
        Blobs(**{field: value})
