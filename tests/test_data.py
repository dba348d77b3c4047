"""The balanced set: equal classes, no image that obeys the rule, the same batches for any workers."""

import hashlib
import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

from reggan import BinaryBlobs, Circles, Connected, Polygons, analyze, render, score
from reggan.data import (
    BalancedSelection,
    CountSelection,
    DeviceCache,
    ImageDataset,
    ImageStream,
    RangeSelection,
    RenderedImages,
    Traffic,
    load_batches,
    quantize,
    to_numpy,
)
from reggan.rules import Solid

RULE = Connected()
FLAT = Circles(clustering=(-0.6, 1.0))


@pytest.mark.parametrize("size", [32, 64])
def test_classes_are_balanced_exactly_and_no_image_is_one_piece(size):
    images = RenderedImages().open(size, RULE).selection.render(np.arange(1000))
    classes = RULE.classify(score(images))
    assert np.bincount(classes, minlength=11).tolist() == [0] + [100] * 10
    assert analyze(images).count.min() > 1


def test_a_set_larger_than_the_papers():
    images = RenderedImages().open(32, RULE).selection.render(np.arange(11_000))
    pieces = analyze(images, fields=("count", "score"))
    assert np.bincount(RULE.classify(pieces.score), minlength=11).tolist() == [0] + [1_100] * 10
    assert pieces.count.min() > 1


def test_every_run_of_ten_holds_each_class_once():
    classes = RULE.classify(score(RenderedImages().open(32, RULE).selection.render(np.arange(500))))
    assert (np.sort(classes.reshape(-1, 10), axis=1) == np.arange(1, 11)).all()


def test_access_is_random_and_images_differ():
    selection = BalancedSelection(FLAT, 32)
    far = np.array([12_345, 7, 999, 1000, 7])
    images = selection.render(far)
    assert (images[1] == images[4]).all()
    for position, image in zip(far, images, strict=True):
        assert (selection.render([position])[0] == image).all()
    assert len(np.unique(selection[0:5000])) == 5000


def test_what_is_no_range_of_positions_is_said():
    selection = BalancedSelection(FLAT, 32)
    assert (selection[3:6] == selection[:6][3:]).all()
    for endless in (slice(3, None), slice(0, -1)):
        with pytest.raises(IndexError, match="the slice needs a stop"):
            selection[endless]
    with pytest.raises(TypeError, match="positions have dtype bool"):
        selection.indices(np.ones(3, bool))
    with pytest.raises(IndexError, match="position -3 is negative"):
        selection[-3:2]
    with pytest.raises(TypeError, match="3 is not a slice"):
        selection[3]


def test_selection_is_what_a_plain_scan_accepts():
    selection = BalancedSelection(FLAT, 32, seed=5, classes=(3, 7), below=0.72)
    block = 2
    candidates = (block << 32) + np.arange(6000, dtype=np.uint64)
    scores = score(render(FLAT, candidates, seed=5, size=32))
    classes = np.where(scores < 0.72, np.floor(10 * scores + 0.5), -1)
    expected = np.stack([candidates[classes == c][:100] for c in (3, 7)], axis=1).ravel()
    assert (selection[2 * 200 : 3 * 200] == expected).all()


def test_a_class_that_cannot_occur_is_said(monkeypatch):
    monkeypatch.setattr("reggan.data.selection._MAX_CANDIDATES", 4096)
    with pytest.raises(ValueError, match=r"yield only .*0 of group 0.*each group needs"):
        BalancedSelection(FLAT, 32, classes=(0, 5))[0:1]


@pytest.mark.parametrize("classes", [(), (11,), (-1,), (3, 3)])
def test_classes_that_the_rule_does_not_have_are_an_error(classes):
    with pytest.raises(ValueError, match="must be different numbers from 0 to 10"):
        BalancedSelection(FLAT, 32, classes=classes)


def test_map_style_items_and_batches_agree():
    dataset = ImageDataset(RenderedImages(images=130).open(32, RULE))
    assert len(dataset) == 130
    assert dataset[17].shape == (1, 32, 32)
    assert dataset[17].dtype == torch.uint8
    for image, other in zip(dataset.__getitems__([3, 17, -1]), [3, 17, 129], strict=True):
        assert torch.equal(image, dataset[other])
    with pytest.raises(IndexError, match="outside a set of 130"):
        dataset[130]


@pytest.mark.parametrize(("images", "method"), [(0, "fork"), (50, "fork"), (0, "forkserver"), (50, "spawn")])
def test_batches_are_the_same_for_any_workers(images, method):
    data = RenderedImages(images=images)
    alone = list(itertools.islice(load_batches(data.open(32, RULE), 16, seed=3), 5))
    dataset = ImageStream(data.open(32, RULE), 16) if images == 0 else ImageDataset(data.open(32, RULE))
    if images == 0:
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
        found = list(itertools.islice(loader, 5))
        for one, other in zip(alone, found, strict=True):
            assert torch.equal(one, other)
    else:
        loader = DataLoader(dataset, batch_size=10, num_workers=2, multiprocessing_context=method)
        assert torch.equal(torch.cat(list(loader)), torch.stack([dataset[k] for k in range(50)]))


@pytest.mark.parametrize("images", [0, 50])
def test_loading_starts_anywhere(images):
    data = RenderedImages(images=images)
    whole = list(itertools.islice(load_batches(data.open(32, RULE), 16, seed=3), 8))
    for start in (1, 3, 7):
        first = next(load_batches(data.open(32, RULE), 16, seed=3, start=start))
        assert torch.equal(first, whole[start])


@pytest.mark.parametrize("images", [0, 50])
def test_an_empty_batch_is_refused(images):
    data = RenderedImages(images=images).open(32, RULE)
    with pytest.raises(ValueError, match="batch_size is 0"):
        load_batches(data, 0)


def test_numbers_that_are_none_are_no_ink():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0, torch.inf])
    assert quantize(images).tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(ArithmeticError, match="contain NaN"):
        quantize(torch.tensor([0.0, torch.nan]))


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order():
    batches = itertools.islice(load_batches(RenderedImages(images=60).open(32, RULE), 8, seed=1), 15)
    images = torch.cat(list(batches)).flatten(1).numpy()
    first, second = images[:60], images[60:]
    assert len(np.unique(first, axis=0)) == 60
    assert not (first == second).all()
    assert sorted(map(bytes, first)) == sorted(map(bytes, second))


def test_loading_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    next(load_batches(RenderedImages().open(32, RULE), 4))
    next(load_batches(RenderedImages(images=20).open(32, RULE), 4))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("field", "value"), [("images", -1), ("below", 0.0), ("below", 1.5)])
def test_bad_fields_are_said(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        RenderedImages(**{field: value})


# Other selections


def test_blobs_by_numbers_of_pieces_have_those_that_obey_too():
    data = RenderedImages(spec=Circles(count=(2, 8)), counts=(1, 2, 5)).open(32, RULE)
    images = to_numpy(data.fetch(np.arange(90)))
    scores = score(images)
    assert (analyze(images).count.reshape(-1, 3) == (1, 2, 5)).all()
    assert (scores[::3] == 1).all()
    assert scores[1::3].max() < 1
    with pytest.raises(ValueError, match=r"counts is \(1, 1\), but must be different numbers"):
        RenderedImages(counts=(1, 1))
    with pytest.raises(ValueError, match=r"below is 0\.5, must be 1 when counts are given"):
        RenderedImages(counts=(1, 2), below=0.5)
    for seed in (-1, 2**64):
        with pytest.raises(
            ValueError, match=r"seed is -?\d+, must be (greater than or equal to 0|less than 18446744073709551616)"
        ):
            RenderedImages(seed=seed)


def test_the_indices_of_the_balanced_set_stay_what_they_are():
    """Committed results depend on them."""
    indices = BalancedSelection(FLAT, 32)[0:5000].astype("<u8")
    assert hashlib.sha256(indices.tobytes()).hexdigest()[:32] == "fd1142dae6c91df310ba554fdb791da3"


@pytest.mark.parametrize(("size", "block"), [(32, 37), (64, 75)])
def test_blocks_that_are_known_are_what_a_search_finds(size, block):
    """If not, the stream version has changed: `python benches/blocks.py` writes them anew."""
    selection = BalancedSelection(Circles(), size)
    assert (selection.known(block) == selection.search(block)).all()
    some = BalancedSelection(Circles(), size, classes=(5, 3))
    assert (some.known(block) == some.search(block)).all()


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"spec": FLAT},
        {"size": 40},
        {"below": 0.6},
        {"classes": (0, 5)},
        {"rule": Connected(connectivity=8)},
    ],
)
def test_no_other_set_is_taken_for_the_known_one(options):
    selection = BalancedSelection(**{"spec": Circles(), "size": 32} | options)
    assert selection.known(0) is None
    assert BalancedSelection(Circles(), 32).known(10**6) is None


def test_a_rule_with_few_classes_is_balanced_too():
    rule = Solid()
    scores = rule(to_numpy(RenderedImages(images=200, classes=(2, 3)).open(32, rule).fetch(np.arange(200))))
    classes = rule.classify(scores)
    assert np.bincount(classes).tolist() == [0, 0, 100, 100]
    assert np.allclose(scores, Solid().values[classes])


def test_equal_numbers_of_each_count():
    selection = CountSelection(Circles(clustering=(-0.5, 1.0)), 32, counts=(2, 3, 5, 9))
    counts = analyze(selection.render(np.arange(800))).count
    assert (counts.reshape(-1, 4) == (2, 3, 5, 9)).all()
    colors = CountSelection(Polygons(color=True), 32, counts=(4, 1))
    images = colors.render(np.arange(100))
    assert images.shape == (100, 3, 32, 32)
    assert (analyze(images.min(axis=1)).count.reshape(-1, 2) == (4, 1)).all()


def test_rejection_by_a_rule_and_its_acceptance():
    selection = RangeSelection(BinaryBlobs(), 48, seed=3, low=0.7, high=0.9)
    chosen = selection[1000:3000]
    scores = score(render(BinaryBlobs(), chosen, seed=3, size=48))
    assert ((scores >= 0.7) & (scores < 0.9)).all()
    candidates = (1 << 32) + np.arange(20_000, dtype=np.uint64)
    every = score(render(BinaryBlobs(), candidates, seed=3, size=48))
    accepted = candidates[(every >= np.float32(0.7)) & (every < np.float32(0.9))]
    assert (chosen[:1000] == accepted[:1000]).all()
    searched = selection[0:1000].max() + 1
    assert selection.acceptance() == 1000 / searched
    both = searched + (chosen[:1000].max() - (1 << 32) + 1)
    assert selection.acceptance(2) == 2000 / both
    assert selection.acceptance(2) == pytest.approx(len(accepted) / 20_000, abs=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CountSelection(FLAT, 32, counts=()), "counts is"),
        (lambda: CountSelection(FLAT, 32, counts=(1, 1)), "counts is"),
        (lambda: CountSelection(FLAT, 32, counts=(-1,)), "counts is"),
        (lambda: RangeSelection(FLAT, 32, low=0.5, high=0.5), "low must be below high"),
        (lambda: RangeSelection(FLAT, 32).acceptance(0), "blocks is 0"),
    ],
)
def test_selections_that_are_not_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Ranks, epochs, and the pool


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_and_workers_share_the_batches_without_a_gap(workers):
    images = RenderedImages().open(32, RULE)
    whole = list(itertools.islice(load_batches(images, 4, start=5), 12))
    for rank in range(3):
        stream = ImageStream(images, 4, 5, rank=rank, ranks=3)
        own = itertools.islice(DataLoader(stream, batch_size=None, num_workers=workers), 4)
        for found, expected in zip(own, whole[rank::3], strict=True):
            assert torch.equal(found, expected)


def test_ranks_are_those_of_torch_distributed(tmp_path):
    images = RenderedImages().open(32, RULE)
    assert (ImageStream(images, 4).rank, ImageStream(images, 4).ranks) == (0, 1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert (ImageStream(images, 4).rank, ImageStream(images, 4).ranks) == (0, 1)
        sampler = DistributedSampler(ImageDataset(RenderedImages(images=30).open(32, RULE)), 3, 1)
        assert len(sampler) == 10
    finally:
        torch.distributed.destroy_process_group()
    with pytest.raises(ValueError, match="rank is 3 of 3"):
        ImageStream(images, 4, rank=3, ranks=3)


def test_a_pool_gives_the_batches_of_the_loader():
    images = RenderedImages(images=50).open(32, RULE)
    pool = DeviceCache(images, "cpu")
    assert len(pool) == 50
    loaded = load_batches(images, 16, seed=3, start=2, workers=1)
    for found, expected in itertools.islice(zip(pool.batches(16, seed=3, start=2), loaded, strict=False), 8):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    with pytest.raises(ValueError, match="has an end"):
        DeviceCache(RenderedImages().open(32, RULE), "cpu")


def test_small_sets_are_kept_where_no_worker_is_asked_for(monkeypatch):
    images, opened = RenderedImages(images=50).open(32, RULE), []
    made = DeviceCache.__init__
    monkeypatch.setattr(DeviceCache, "__init__", lambda *given: opened.append(given) or made(*given))
    next(load_batches(images, 8, workers=1))
    assert not opened
    next(load_batches(images, 8))
    assert len(opened) == 1
    monkeypatch.setattr("reggan.data.loading.CPU_CACHE_BYTES", 50 * 32 * 32 - 1)
    next(load_batches(images, 8))
    assert len(opened) == 1
    assert not DeviceCache.fits(RenderedImages().open(32, RULE), torch.device("cpu"))


def test_any_renderer_is_data():
    for spec in (BinaryBlobs(), Polygons(), Circles(border="periodic")):
        images = RenderedImages(spec=spec, classes=()).open(32, RULE).fetch(np.arange(6))
        assert images.shape == (6, 1, 32, 32)
        assert (score(to_numpy(images)) < 1).all()
    assert RenderedImages(spec=Polygons(color=True), classes=()).open(32, RULE).fetch(np.arange(6)).shape == (
        6,
        3,
        32,
        32,
    )


# Traffic


def test_few_frames_have_anything_on_them_and_all_the_same_background():
    data = Traffic(busy=0.1).open(32, Connected())
    frames = data.fetch(np.arange(4000))
    assert frames.shape == (4000, 1, 32, 32)
    busy = (frames < 128).flatten(1).any(dim=1).numpy()
    assert busy.mean() == pytest.approx(0.1, abs=0.02)
    assert (frames[~busy, 0] == torch.from_numpy(data.background)).all()
    assert ((score(to_numpy(frames)) > 0) == busy).all()
    counts = analyze(frames[busy, 0].numpy(), fields=("count",)).count
    assert set(counts.tolist()) == {1, 2, 3, 4}
    # A frame is a function of its position.
    assert torch.equal(data.fetch(np.array([3999, 17])), frames[[3999, 17]])


@pytest.mark.parametrize("options", [{"busy": 1.5}, {"blobs": (0, 3)}, {"blobs": (5, 3)}, {"seed": -1}])
def test_traffic_that_cannot_be_is_said(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is"):
        Traffic(**options)
