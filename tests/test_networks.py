"""Shapes, ranges and counts of the networks."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import reggan
from reggan.networks import (
    MLP,
    Clear,
    DCGANDiscriminator,
    DCGANEncoder,
    DCGANGenerator,
    FourierFeatures,
    FusedTranslator,
    JointDiscriminator,
    MLPDiscriminator,
    MLPGenerator,
    PairDiscriminator,
    ScoreClassifier,
    SeparateTranslator,
    StridedClassifier,
)
from reggan.networks.ends import FromImage, ToImage
from reggan.recipes import Repair
from reggan.rules import resolve_rule


def kinds(module: nn.Module, kind: type) -> int:
    return sum(isinstance(part, kind) for part in module.modules())


@pytest.mark.parametrize("size", [8, 12, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_ranges(size, channels):
    images = DCGANGenerator(size, channels, 10, 4)(torch.randn(3, 10))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(size, channels, 4)(images).shape == (3,)
    assert DCGANEncoder(size, channels, 5, 4)(images).shape == (3, 5)
    assert ScoreClassifier(size, channels, 7, 4)(images).shape == (3, 7)
    assert StridedClassifier(size, channels, 7, 4)(images).shape == (3, 7)


@pytest.mark.parametrize("size", [(48, 40), (28, 112), (64, 96)])
def test_rectangles_forward_and_backward(size):
    generator = DCGANGenerator(size, 3, 10, 4)
    images = generator(torch.randn(3, 10))
    assert images.shape == (3, 3, *size)
    readers = [
        DCGANDiscriminator(size, 3, 4),
        DCGANEncoder(size, 3, 5, 4, "layer"),
        ScoreClassifier(size, 3, 7, 4),
        StridedClassifier(size, 3, 7, 4),
    ]
    outputs = [reader(images) for reader in readers]
    assert [output.shape for output in outputs] == [(3,), (3, 5), (3, 7), (3, 7)]
    sum(output.square().sum() for output in outputs).backward()
    for network in (generator, *readers):
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
        assert all(parameter.grad.any() for name, parameter in network.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize("size", [(48, 40), (24, 96)])
def test_rectangles_in_pairs_forward_and_backward(size):
    discriminator = PairDiscriminator(3, 4, 3, size)
    for kind in (SeparateTranslator, FusedTranslator):
        translator = kind(3, 4, 2)
        pairs = translator(torch.randn(2, 2, 3, *size))
        assert pairs.shape == (2, 2, 3, *size)
        logits = discriminator(pairs)
        assert logits.shape == (2, 2, *(side // 8 - 2 for side in size))
        logits.square().sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in translator.parameters())


@pytest.mark.parametrize(("size", "start", "maps"), [(28, 7, [8, 4]), (32, 4, [16, 8, 4]), (64, 4, [32, 16, 8, 4])])
def test_squares_have_the_layers_and_weights_of_dcgan(size, start, maps):
    def initialized(*layers):
        for layer in layers:
            nn.init.normal_(layer.weight, float(isinstance(layer, nn.BatchNorm2d)), 0.02)
        return [tensor for layer in layers for tensor in layer.state_dict().values()]

    def assert_equal(network, layers):
        assert all(torch.equal(*pair) for pair in zip(network.state_dict().values(), layers, strict=True))

    kernels = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    torch.manual_seed(0)
    generator, discriminator = DCGANGenerator(size, 3, 10, 4), DCGANDiscriminator((size, size), 3, 4)
    torch.manual_seed(0)
    layers = [nn.ConvTranspose2d(10, maps[0], start, bias=False), nn.BatchNorm2d(maps[0])]
    for coarse, fine in pairwise(maps):
        layers += [nn.ConvTranspose2d(coarse, fine, **kernels), nn.BatchNorm2d(fine)]
    assert_equal(generator, initialized(*layers, nn.ConvTranspose2d(maps[-1], 3, **kernels)))
    layers = [nn.Conv2d(3, maps[-1], **kernels)]
    for fine, coarse in pairwise(reversed(maps)):
        layers += [nn.Conv2d(fine, coarse, **kernels), nn.BatchNorm2d(coarse)]
    assert_equal(discriminator, initialized(*layers, nn.Conv2d(maps[0], 1, start, bias=False)))
    assert list(generator.state_dict())[:2] == ["layers.0.weight", "layers.1.weight"]
    assert list(discriminator.state_dict())[:2] == ["layers.0.weight", "layers.2.weight"]


@pytest.mark.parametrize("shape", [(2,), (1, 28, 28), (3, 8, 8)])
def test_fully_connected_networks_take_any_shape(shape):
    samples = MLPGenerator(shape, 4, 8, 2)(100 * torch.randn(3, 4))
    assert samples.shape == (3, *shape)
    assert bool(samples.abs().max() <= 1) == (len(shape) == 3)
    assert MLPDiscriminator(shape, 8, 2)(samples).shape == (3,)
    joint = JointDiscriminator(nn.Flatten(), samples[0].numel(), 4, 8)
    latents = torch.randn(3, 4)
    assert joint(samples, latents).shape == (3,)
    assert not torch.equal(joint(samples, latents), joint(samples, latents.flip(0)))


def test_a_fully_connected_network_has_the_layers_that_were_asked_for():
    network = MLP(2, 5, width=7, depth=3, activation="tanh")
    sizes = [(layer.in_features, layer.out_features) for layer in network.layers if isinstance(layer, nn.Linear)]
    assert sizes == [(2, 7), (7, 7), (7, 7), (7, 5)]
    assert kinds(network, nn.Tanh) == 3
    with pytest.raises(ValueError, match="activation is 'relu6', must be one of leaky_relu, tanh"):
        MLP(2, 5, activation="relu6")
    with pytest.raises(ValueError, match="width is 0"):
        MLP(2, 5, width=0)


def test_sizes_have_the_fewest_doublings_from_4_to_7_pixels():
    sides = {8: 2, 14: 4, 28: 7, 29: 4, 32: 4, 33: 5, 40: 5, 96: 6, 128: 4}
    assert {size: DCGANGenerator(size, width=1).layers[0](torch.zeros(1, 100)).shape[-1] for size in sides} == sides


def test_64_pixels_have_the_papers_layers():
    generator, discriminator, classifier = DCGANGenerator(), DCGANDiscriminator(), ScoreClassifier()
    assert kinds(generator, nn.ConvTranspose2d) == 5
    assert kinds(discriminator, nn.Conv2d) == 5
    assert [kinds(classifier, k) for k in (nn.Conv2d, nn.MaxPool2d, nn.Linear)] == [4, 2, 3]
    widths = [m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert widths == [512, 256, 128, 64, 1]


def test_the_layers_of_one_pixel_are_convolutions():
    generator, discriminator = DCGANGenerator(32, 1, 10, 4), DCGANDiscriminator(32, 1, 4)
    z, images = torch.randn(3, 10), torch.randn(3, 1, 32, 32)
    first, last = generator.layers[0], discriminator.layers[-1]
    maps = discriminator.layers[:-1](images)
    torch.testing.assert_close(first(z), nn.functional.conv_transpose2d(z[:, :, None, None], first.weight))
    torch.testing.assert_close(last(maps), nn.functional.conv2d(maps, last.weight).flatten(1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_layers_at_the_image_are_convolutions_with_their_gradients(channels, layout):
    image, maps = torch.randn(3, channels, 8, 12), torch.randn(3, 5, 4, 6)
    for layer, kind, inputs in (
        (ToImage(5, channels), nn.ConvTranspose2d, maps),
        (FromImage(channels, 5), nn.Conv2d, image),
    ):
        layer, inputs = layer.double().to(memory_format=layout), inputs.double().to(memory_format=layout)
        inputs.requires_grad_()
        plain = kind(layer.in_channels, layer.out_channels, 4, 2, 1, bias=False).double()
        plain.load_state_dict(layer.state_dict())
        ours, theirs = layer(inputs), plain(inputs)
        torch.testing.assert_close(ours, theirs)
        toward = torch.randn_like(ours)
        found = torch.autograd.grad(ours, [inputs, layer.weight], toward, create_graph=True)
        expected = torch.autograd.grad(theirs, [inputs, plain.weight], toward, create_graph=True)
        torch.testing.assert_close(found, expected)
        # Penalties of gradients need theirs.
        found, expected = (
            torch.autograd.grad(of_inputs.square().sum() + of_weight.cos().sum(), [inputs, weight])
            for (of_inputs, of_weight), weight in ((found, layer.weight), (expected, plain.weight))
        )
        torch.testing.assert_close(found, expected)


def test_the_layers_at_the_image_are_pytorchs_under_autocast():
    layer, maps = ToImage(5, 1), torch.randn(3, 5, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        image = layer(maps)
    assert image.dtype == torch.bfloat16
    assert not isinstance(image.grad_fn, torch.autograd.function.BackwardCFunction)
    assert isinstance(layer(maps).grad_fn, torch.autograd.function.BackwardCFunction)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_layers_at_the_image_are_pytorchs_on_cuda():
    layer, maps = ToImage(5, 1), torch.randn(3, 5, 4, 4)
    torch.testing.assert_close(layer.cuda()(maps.cuda()).cpu(), layer.cpu()(maps), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        *((size, rf"size is {size}, must be from 8 to 128: give another size") for size in (0, 7, 129)),
        ((150, 160), r"size is \(150, 160\), the shorter side must be from 8 to 128: give another size"),
        ((28, 116), r"size is \(28, 116\), the longer side must be at most 4 times the shorter one: give another size"),
    ],
)
def test_other_sizes_are_errors(size, message):
    for kind in (DCGANGenerator, DCGANEncoder, DCGANDiscriminator):
        with pytest.raises(ValueError, match=message):
            kind(size)


@pytest.mark.parametrize("size", [14, 33, (45, 50)])
def test_other_sides_are_the_middle_of_larger_images(size):
    generator, reader = DCGANGenerator(size, 1, 10, 4).eval(), DCGANEncoder(size, 1, 5, 4).eval()
    latents = torch.randn(3, 10)
    images = generator(latents)
    height, width = (size, size) if isinstance(size, int) else size
    assert images.shape == (3, 1, height, width)
    larger = generator.layers(latents).tanh()
    top, left = (larger.shape[2] - height) // 2, (larger.shape[3] - width) // 2
    torch.testing.assert_close(images, larger[..., top : top + height, left : left + width])
    padded = torch.ones_like(larger)
    padded[..., top : top + height, left : left + width] = images
    torch.testing.assert_close(reader(images), reader.layers(padded))


def test_tiles_have_no_margins():
    with pytest.raises(ValueError, match="size is 33, the sides of seamless tiles must be multiples of 8"):
        DCGANGenerator(33, tileable=True)


@pytest.mark.parametrize("size", [30, (32, 30), (4, 32)])
def test_sizes_are_multiples_of_4_for_classifiers_and_pairs(size):
    for kind in (ScoreClassifier, StridedClassifier, PairDiscriminator):
        with pytest.raises(ValueError, match="each side must be a multiple of 4 and at least 8: give another size"):
            kind(size=size)


@pytest.mark.parametrize(("layers", "size", "most"), [(4, 32, 3), (4, (64, 28), 3), (6, 64, 4)])
def test_patches_must_fit_the_shorter_side(layers, size, most):
    with pytest.raises(ValueError, match=f"layers is {layers}, must be at most {most} for images of .*: give fewer"):
        PairDiscriminator(1, 4, layers, size)
    sides = (size, size) if isinstance(size, int) else size
    PairDiscriminator(1, 4, most, size)(torch.zeros(1, 2, 1, *sides))


def test_a_width_of_0_is_an_error():
    for make in (DCGANGenerator, DCGANDiscriminator, ScoreClassifier, StridedClassifier):
        with pytest.raises(ValueError, match="width is 0"):
            make(width=0)


@pytest.mark.parametrize("kind", [ScoreClassifier, StridedClassifier])
def test_the_classifier_does_not_depend_on_its_mode(kind):
    classifier, images = kind(32, width=4), torch.randn(2, 1, 32, 32)
    assert torch.equal(classifier.train()(images), classifier.eval()(images))


def test_an_unknown_norm_is_an_error():
    with pytest.raises(ValueError, match="norm is 'group', must be one of batch, layer"):
        DCGANDiscriminator(norm="group")


def test_fourier_features_are_appended_to_the_rows():
    torch.manual_seed(0)
    features = FourierFeatures(2, 3)
    rows = torch.randn(5, 2)
    outputs = features(rows)
    assert outputs.shape == (5, features.num_features) == (5, 8)
    assert torch.equal(outputs[:, :2], rows)
    torch.testing.assert_close(outputs[:, 2:5] ** 2 + outputs[:, 5:] ** 2, torch.ones(5, 3))
    phases = rows @ features.get_buffer("directions")
    torch.testing.assert_close(torch.atan2(outputs[:, 2:5], outputs[:, 5:]), torch.atan2(phases.sin(), phases.cos()))
    assert torch.equal(FourierFeatures(2, 0)(rows), rows)
    network = MLP(2, 5, width=7, depth=1, fourier_features=3)
    assert network(rows).shape == (5, 5)
    assert network.layers[1].in_features == 8
    with pytest.raises(ValueError, match="fourier_features is -1"):
        MLP(2, 5, fourier_features=-1)


@pytest.mark.parametrize("size", [32, (28, 56)])
def test_tileable_networks_join_opposite_sides(size):
    generator, encoder = DCGANGenerator(size, 1, 10, 4, tileable=True), DCGANEncoder(size, 1, 5, 4, tileable=True)
    generator.eval()
    encoder.eval()
    maps = generator.layers[0](torch.randn(2, 10))
    scale = generator(torch.randn(1, 10)).shape[-1] // maps.shape[-1]
    images, rolled = (generator.layers[1:](each) for each in (maps, maps.roll((1, 2), (2, 3))))
    torch.testing.assert_close(images.roll((scale, 2 * scale), (2, 3)), rolled)
    coarse, rolled = (encoder.layers[:-1](each) for each in (images, images.roll((scale, 2 * scale), (2, 3))))
    torch.testing.assert_close(coarse.roll((1, 2), (2, 3)), rolled)


@pytest.mark.parametrize("border", ["solid", "periodic"])
@pytest.mark.parametrize("diameters", [(5, 5), (4, 1), (1, 3), (2, 7)])
def test_nothing_is_narrow_after_clear(border, diameters):
    """At any threshold the layer is the opening of ink, then of paper."""
    ink, paper = diameters
    layer = Clear(ink, paper, periodic=border == "periodic")
    images = reggan.render(reggan.Circles(), 50, size=24, dtype=np.uint8)
    grays = torch.from_numpy(images)[:, None].double() / 127.5 - 1
    assert torch.equal(layer(grays), grays)
    cleared = layer.eval()(grays)
    opened = reggan.opening(images, ink, border=border)
    expected = reggan.closing(~opened, paper, border=border)
    assert np.array_equal(cleared[:, 0].numpy() <= 0, expected)
    is_same = (cleared <= 0) == (grays <= 0)
    assert torch.equal(cleared[is_same], grays[is_same])


def test_rules_say_what_generators_clear():
    rules = ["clear(5) & connected", "bridge(3) & slot(4)", "bridge(3, foreground='light') & bridge(2)", "connected"]
    rules.append("clear(5, threshold=0.3) & slot(2)")
    assert [resolve_rule(text).discs for text in rules] == [(5, 5), (3, 4), (2, 3), (1, 1), (1, 2)]
    for recipe, discs in ((Repair(), (5, 5)), (Repair(clears=False), (1, 1))):
        clear = recipe.build((1, 16, 16), resolve_rule("clear(5)"))["generator"]().clear
        assert (clear.ink, clear.paper) == discs


def test_tileable_layers_are_the_plain_ones_inside():
    plain, around = DCGANGenerator(32, 1, 10, 4), DCGANGenerator(32, 1, 10, 4, tileable=True)
    around.load_state_dict(plain.state_dict())
    latents = torch.randn(2, 10)
    inside, joined = plain.eval()(latents), around.eval()(latents)
    torch.testing.assert_close(inside[..., 15:17, 15:17], joined[..., 15:17, 15:17])
    assert not torch.allclose(inside[..., 0, :], joined[..., 0, :])
