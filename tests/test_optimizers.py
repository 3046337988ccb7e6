"""Optimisers with a rate for every part: steps, schedules, strategies, precision, resuming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.optimizers import Consecutive, make_optimizer

SLOW_PART = {"translation_z": 0.005}


def two_parts() -> keras.Model:
    keras.utils.set_random_seed(3)
    features = keras.Input((4,))
    parts = [keras.layers.Dense(2, name=name)(features) for name in ("rotation", "translation_z")]
    return keras.Model(features, keras.layers.Concatenate()(parts))


def moves(model: keras.Model, optimizer: keras.Optimizer, steps: int = 1) -> dict[str, np.ndarray]:
    """How far each variable moves under gradients of 1."""
    before = [variable.numpy() for variable in model.trainable_variables]
    for _ in range(steps):
        gradients = [tf.ones(variable.shape) for variable in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)
    return {
        variable.path: variable.numpy() - start
        for variable, start in zip(model.trainable_variables, before, strict=True)
    }


@pytest.mark.parametrize("name", ["adam", "adadelta", "sgd"])
def test_a_slow_part_moves_by_its_share(name):
    moved = moves(two_parts(), make_optimizer(name, 0.5, 100, multipliers=SLOW_PART), steps=3)
    plain = moves(two_parts(), make_optimizer(name, 0.5, 100), steps=3)
    for kind in ("kernel", "bias"):
        np.testing.assert_array_equal(moved[f"rotation/{kind}"], plain[f"rotation/{kind}"])
        slow, full = moved[f"translation_z/{kind}"], plain[f"translation_z/{kind}"]
        np.testing.assert_allclose(slow, 0.005 * full, rtol=1e-3, atol=1e-7)


def test_weight_decay_leaves_slow_parts_alone():
    model = two_parts()
    optimizer = make_optimizer("adamw", 0.5, 100, multipliers={"translation_z": 0.0})
    moved = moves(model, optimizer)
    assert np.all(moved["translation_z/kernel"] == 0.0)
    assert np.ptp(moved["rotation/kernel"]) > 1e-4  # decay depends on the weight


def test_adadelta_is_zeilers():
    """Algorithm 1 of Zeiler 2012, times the rate."""
    optimizer = make_optimizer("adadelta", 0.1, 100)
    variable = keras.Variable([1.0, -2.0], name="x")
    gradients = np.array([[0.3, -1.0], [0.1, 2.0], [-0.7, 0.5]], np.float32)
    rho, epsilon = optimizer.rho, optimizer.epsilon
    x, squared_gradients, squared_steps = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [variable])
        squared_gradients = rho * squared_gradients + (1 - rho) * gradient**2
        step = -np.sqrt(squared_steps + epsilon) / np.sqrt(squared_gradients + epsilon) * gradient
        squared_steps = rho * squared_steps + (1 - rho) * step**2
        x = x + 0.1 * step
    np.testing.assert_allclose(variable.numpy(), x, rtol=1e-6)


def test_nested_layers_multiply():
    inner = keras.Sequential([keras.layers.Dense(1, name="depth")], name="head")
    features = keras.Input((1,))
    model = keras.Model(features, inner(features))
    moved = moves(model, make_optimizer("sgd", 1.0, 1, multipliers={"head": 0.5, "depth": 0.1}))
    assert all(np.allclose(move, -0.05, atol=1e-6) for move in moved.values())


def test_a_factor_may_change_with_the_stages():
    """And a single variable may be named."""
    model, schedule = two_parts(), Consecutive([0.0, 1.0, 3.0], [1, 1])
    optimizer = make_optimizer("sgd", 0.5, 1, multipliers={"translation_z": schedule, "bias": 0.1})
    optimizer = type(optimizer).from_config(optimizer.get_config())
    steps = [moves(model, optimizer) for _ in range(3)]
    for name, share in (("translation_z", [0.0, 1.0, 3.0]), ("rotation", [1.0, 1.0, 1.0])):
        for kind, factor in (("kernel", 1.0), ("bias", 0.1)):
            found = [-float(move[f"{name}/{kind}"].mean()) for move in steps]
            np.testing.assert_allclose(found, 0.5 * factor * np.array(share), atol=1e-6)


def test_an_unknown_part_is_named():
    optimizer = make_optimizer("sgd", 1.0, 1, multipliers={"translation": 0.1})
    with pytest.raises(ValueError, match="rotation, translation_z, got 'translation'"):
        optimizer.build(two_parts().trainable_variables)


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, {0: 1.0, 10: 1.0, 99: 1.0}),
        ({"warmup_steps": 10}, {0: 0.0, 5: 0.5, 10: 1.0, 99: 1.0}),
        ({"schedule": "cosine"}, {0: 1.0, 50: 0.5, 100: 0.0}),
        ({"schedule": "cosine", "warmup_steps": 10}, {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.5, 100: 0.0}),
        ({"schedule": "cosine", "warmup_steps": 500}, {50: 0.1}),  # a run cut short by hand
    ],
)
def test_schedules(options, rates):
    optimizer = make_optimizer("adam", 2.0, 100, **options)
    for step, rate in rates.items():
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(2.0 * rate, abs=1e-6)


def test_wrong_names():
    with pytest.raises(ValueError, match="name: expected one of adam.*got 'lion'"):
        make_optimizer("lion", 1.0, 1)
    with pytest.raises(ValueError, match="schedule: expected one of constant, cosine, got 'step'"):
        make_optimizer("adam", 1.0, 1, schedule="step")


def test_clipping_is_before_the_multiplier():
    moved = moves(two_parts(), make_optimizer("sgd", 1.0, 1, multipliers=SLOW_PART, clip_norm=1.0))
    norm = np.sqrt(20.0)  # of twenty gradients of 1
    np.testing.assert_allclose(moved["rotation/bias"], -1.0 / norm, rtol=1e-4)
    np.testing.assert_allclose(moved["translation_z/bias"], -0.005 / norm, rtol=1e-4)


def trained(strategy: tf.distribute.Strategy | None = None, name: str = "adam") -> keras.Model:
    with strategy.scope() if strategy else tf.distribute.get_strategy().scope():
        model = two_parts()
        optimizer = make_optimizer(name, 0.05, 20, "cosine", 2, {"translation_z": 0.1}, 1.0)
        model.compile(optimizer=optimizer, loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    model.fit(x, np.ones((32, 4), np.float32), batch_size=8, epochs=3, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("name", ["adam", "adadelta"])
@pytest.mark.slow
def test_mirrored_training_is_the_same(name):
    mirrored = trained(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), name)
    for one, two in zip(trained(name=name).weights, mirrored.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.slow
def test_mixed_precision_scales_the_loss(devices):
    plain = trained()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = trained(
            tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]) if devices == 2 else None
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(mixed.optimizer, keras.optimizers.LossScaleOptimizer)
    start = two_parts()
    for begun, one, two in zip(start.weights, plain.weights, mixed.weights, strict=True):
        moved = one.numpy() - begun.numpy()
        np.testing.assert_allclose(two.numpy() - begun.numpy(), moved, atol=0.1 * np.ptp(moved))


def test_saved_and_resumed_exactly(tmp_path):
    model = trained()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.multipliers == {"translation_z": 0.1}
    assert int(again.optimizer.iterations) == 12
    first, second = moves(model, model.optimizer), moves(again, again.optimizer)
    for move, same in zip(first.values(), second.values(), strict=True):
        np.testing.assert_array_equal(move, same)


def test_later_stages_start_the_schedule_again() -> None:
    later = [(50, 0.4), (50, 0.2)]
    optimizer = make_optimizer("adam", 2.0, 100, schedule="cosine", warmup_steps=10, later=later)
    rate = optimizer._learning_rate
    assert float(rate(0)) == pytest.approx(0.0)
    assert float(rate(10)) == pytest.approx(2.0)
    assert float(rate(99)) < 0.01
    assert float(rate(100)) == pytest.approx(0.4)
    assert float(rate(125)) == pytest.approx(0.2)
    assert float(rate(150)) == pytest.approx(0.2)
    assert float(rate(500)) == pytest.approx(0.0, abs=1e-6)


def test_a_run_without_later_stages_has_the_optimizer_of_one_with_them() -> None:
    none = make_optimizer("adam", 2.0, 100, later=[])
    some = make_optimizer("adam", 2.0, 100, later=[(50, 0.5)])
    for optimizer in (none, some):
        optimizer.build(two_parts().trainable_variables)
    assert [v.shape for v in none.variables] == [v.shape for v in some.variables]
    assert float(none._learning_rate(500)) == pytest.approx(2.0)
    assert float(some._learning_rate(500)) == pytest.approx(0.5)


def test_consecutive_schedules_serialise() -> None:
    schedule = Consecutive([1.0, keras.optimizers.schedules.CosineDecay(0.5, 10)], [5])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    for step in (0, 4, 5, 9, 20):
        assert float(again(step)) == pytest.approx(float(schedule(step)))
