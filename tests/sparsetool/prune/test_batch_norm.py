"""Statistics of batch normalization against those that numpy takes of the very inputs."""

import numpy as np
import pytest

from sparsetool import prune

pytestmark = pytest.mark.keras


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(3, 2, (37, 6, 6, 3)).astype(np.float32)


def statistics(values, axes=None):
    values = np.asarray(values, np.float64)
    axes = tuple(range(values.ndim - 1)) if axes is None else axes
    return values.mean(axis=axes), values.var(axis=axes)


def assert_has(layer, values, axes=None):
    mean, variance = statistics(values, axes)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 10, 37, 100])
def test_statistics_are_those_of_all_samples_whatever_the_batches(images, batch_size):
    import keras

    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.BatchNormalization(name="norm")])
    assert prune.recalibrate_batch_norm(model, images, batch_size=batch_size) == (f"{model.name}/norm",)
    assert_has(model.get_layer("norm"), images)


def test_a_large_offset_costs_no_digits(images):
    import keras

    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.BatchNormalization()])
    far = (images + 1e4).astype(np.float32)
    prune.recalibrate_batch_norm(model, far, batch_size=7)
    np.testing.assert_allclose(model.layers[0].moving_variance.numpy(), statistics(far)[1], rtol=1e-6)


def test_layers_behind_others_get_what_the_right_statistics_give_them(images):
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 3))])
    for width in (4, 5, 6):
        model.add(layers.Conv2D(width, 2))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    prune.recalibrate_batch_norm(model, images, batch_size=16)
    values = images
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            assert_has(layer, values)
        values = layer(values, training=False).numpy()


def test_a_subclassed_nested_model_with_random_layers_is_measured_at_rest(images):
    import keras

    layers = keras.layers

    class Inner(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolution, self.norm, self.dropout = (
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.Dropout(0.5),
            )

        def call(self, x, training=None):
            return self.dropout(self.norm(self.convolution(x), training=True), training=training)

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner, self.flatten, self.dense = Inner(), layers.Flatten(), layers.Dense(5)
            self.norm = layers.BatchNormalization()

        def call(self, x, training=None):
            return self.norm(self.dense(self.flatten(self.inner(x, training=training))), training=training)

    model = Outer()
    model(images[:1])
    names = prune.recalibrate_batch_norm(model, images, batch_size=10)
    assert len(names) == 2
    convolved = model.inner.convolution(images).numpy()
    assert_has(model.inner.norm, convolved)
    normalized = model.inner.norm(convolved, training=False).numpy()
    assert_has(model.norm, model.dense(normalized.reshape(37, -1)).numpy())


def test_a_shared_layer_gets_the_statistics_of_all_its_calls(images):
    import keras

    norm = keras.layers.BatchNormalization()
    left, right = keras.Input((6, 6, 3), name="left"), keras.Input((6, 6, 3), name="right")
    model = keras.Model([left, right], keras.layers.Add()([norm(left), norm(right)]))
    assert len(prune.recalibrate_batch_norm(model, [images, images * 3], batch_size=10)) == 1
    assert_has(norm, np.concatenate([images, images * 3]))


def test_the_axis_is_that_of_the_layer(images):
    import keras

    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.BatchNormalization(axis=1)])
    prune.recalibrate_batch_norm(model, images)
    assert_has(model.layers[0], images, axes=(0, 2, 3))


def test_masked_time_steps_do_not_count():
    import keras

    x = np.random.default_rng(0).normal(size=(20, 7, 3)).astype(np.float32) + 1
    x[:, 4:] = 0
    layers = keras.layers
    model = keras.Sequential([keras.Input((7, 3)), layers.Masking(0.0), layers.BatchNormalization()])
    prune.recalibrate_batch_norm(model, x, batch_size=6)
    assert_has(model.layers[-1], x[:, :4])


def test_time_steps_of_a_distributed_layer_count_together():
    import keras

    x = np.random.default_rng(0).normal(size=(20, 7, 3)).astype(np.float32)
    norm = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((7, 3)), keras.layers.TimeDistributed(norm)])
    prune.recalibrate_batch_norm(model, x, batch_size=6)
    assert_has(norm, x)


def test_nothing_but_the_statistics_changes(images):
    import keras

    layers = keras.layers

    class Counting(layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1)
            return x

    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.GaussianNoise(0.1), Counting(), layers.BatchNormalization(), layers.Flatten()]
    )
    model.add(layers.Dense(3))
    norm = model.layers[2]
    before = [(v, v.numpy().copy()) for v in model.variables]
    prune.recalibrate_batch_norm(model, images)
    for variable, value in before:
        if variable is not norm.moving_mean and variable is not norm.moving_variance:
            np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    np.testing.assert_array_equal(model.get_layer(norm.name)(images), norm(images))
    assert "call" not in vars(norm)


def test_pruned_weights_stay_pruned_and_training_goes_on(samples, fit):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)]
    )
    pruner = prune.Pruner(model, prune.ConstantSparsity(0.5, 0, frequency=1))
    fit(model, pruner.callback())
    prune.recalibrate_batch_norm(model, samples[0])
    pruner.check()
    assert_has(model.layers[1], model.layers[0](samples[0]).numpy())
    before = model.layers[1].moving_mean.numpy()
    fit(model, pruner.callback())
    assert not np.array_equal(before, model.layers[1].moving_mean.numpy())


def test_a_model_without_batch_normalization_is_left_alone(small_model, samples):
    before = small_model.get_weights()
    assert prune.recalibrate_batch_norm(small_model, samples[0]) == ()
    assert all(np.array_equal(a, b) for a, b in zip(before, small_model.get_weights(), strict=True))


def test_what_cannot_be_recalibrated_is_refused_and_nothing_changes(images):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.BatchNormalization(), layers.Dense(2), layers.BatchNormalization()]
    )
    before = model.get_weights()
    spoilt = images.copy()
    spoilt[20, 0, 0, 0] = np.inf
    for x, arguments, problem in (
        (spoilt, {}, "/moving_mean: would not be finite"),
        (images[:0], {}, r"x: must be arrays of the same number of samples; got \[0\]"),
        (images, {"batch_size": 0}, "batch_size: must be 1 or more; got 0"),
    ):
        with pytest.raises(prune.PruningError, match=problem):
            prune.recalibrate_batch_norm(model, x, **arguments)
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    renormalized = keras.Sequential([keras.Input((6, 6, 3)), layers.BatchNormalization(renorm=True)])
    with pytest.raises(prune.PruningError, match="batch renormalization"):
        prune.recalibrate_batch_norm(renormalized, images)
