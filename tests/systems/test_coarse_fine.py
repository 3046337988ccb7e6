"""CoarseNet and FineNet: representation, passes, gradients through the layer, and the stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfface.code import CodeLayout
from tfface.config import CoarseFineConfig, ConfigError, SyntheticConfig, load_config
from tfface.data.code_samplers import FaceSampler
from tfface.data.relief import random_relief
from tfface.data.synthetic import synthetic_faces
from tfface.losses.shape_from_shading import ShadingProblem
from tfface.morphable.default import load_default_face_model
from tfface.rendering.cameras import rotate
from tfface.rendering.rotations import rotation_matrix
from tfface.rendering.srgb import grey
from tfface.systems.coarse_fine import CoarseFine, slope_error
from tfface.systems.coarse_net import POSE, FirstPass

SIZE = 64
NOT_KNOWN = tf.zeros([4, SIZE, SIZE, 1])
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> CoarseFine:
    """Its last layers, which start at zero, know a little."""
    keras.utils.set_random_seed(1)
    system = CoarseFine.of_model(load_default_face_model("coarse"), SIZE)
    random = np.random.default_rng(0)
    for layer in (system.coarse_net.network.get_layer("code"), system.fine_net.regressor):
        layer.kernel.assign(0.02 * random.standard_normal(layer.kernel.shape))
    return system


@pytest.fixture(scope="module")
def drawn(system: CoarseFine) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    faces = synthetic_faces(system.morphable_model, system.decoder, SyntheticConfig(), 3)
    return next(faces.batch(4).as_numpy_iterator())


def test_solutions_and_codes_are_the_same_faces(system: CoarseFine) -> None:
    solutions = 0.3 * tf.random.stateless_normal([5, 150], [0, 1])
    parts = system.layout.split(system.coarse_net.to_code(solutions))
    np.testing.assert_allclose(system.coarse_net.to_solution(parts), solutions, atol=1e-5)


def test_zeros_are_the_mean_face_in_the_middle_of_the_picture(system: CoarseFine) -> None:
    parts = system.coarse_net.parts(tf.zeros([1, 150]))
    landmarks = system.decoder.landmarks({**system.drawable(parts)})[0].numpy()
    middle = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2
    assert abs(middle[0] - SIZE / 2) < 0.1
    assert np.ptp(landmarks[:, 1]) == pytest.approx(0.6 * SIZE, rel=0.2)


def test_the_maps_show_the_face_that_the_picture_shows(system, drawn) -> None:
    """The weak perspective of the maps and the distant camera of drawn faces agree."""
    code = CodeLayout(system.decoder.code_sizes).split(drawn[1]["code"])
    faces = system.maps.see(code, SIZE)
    landmarks = drawn[1]["landmarks"]
    turned = rotate(faces.vertices, rotation_matrix(code["rotation"]))
    own = system.maps.camera.to_picture(turned, code["translation"], SIZE)
    inner = system.decoder.landmark_vertices[17:]
    np.testing.assert_allclose(tf.gather(own, inner, axis=1)[..., :2], landmarks[:, 17:], atol=0.05)


def test_feedback_tells_places_and_normals(system: CoarseFine) -> None:
    net = system.coarse_net
    faces = net.maps.see(net.parts(tf.zeros([1, 150])), SIZE)
    feedback, mask = net.maps.feedback(faces).numpy()[0], faces.mask.numpy()[0, ..., 0] > 0
    assert feedback.shape == (SIZE, SIZE, 6)
    assert (feedback[~mask] == 0).all()
    assert feedback.min() >= 0
    assert feedback.max() <= 1
    left_to_right = feedback[SIZE // 2, mask[SIZE // 2], 0]
    assert (np.diff(left_to_right[5:-5]) > 0).all()  # x grows, whatever the depth
    nose = system.decoder.landmarks(system.drawable(net.parts(tf.zeros([1, 150]))))[0, 30]
    column, row = np.floor(nose.numpy()).astype(int)
    assert feedback[row, column, 5] > 0.8  # its normal looks at the camera


def test_a_pass_sees_the_picture_only_where_the_last_face_is(system, drawn) -> None:
    images = drawn[0].copy()
    zeros = tf.zeros([4, 150])
    faces = system.coarse_net.maps.see(system.coarse_net.parts(zeros), SIZE)
    changed = np.where(faces.mask > 0, images, 1.0 - images)
    before, after = (system.coarse_net.correct(i, zeros) for i in (images, changed))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(system.coarse_net.correct(1.0 - images, zeros) - before).max() > 1e-3


def test_the_trajectory_starts_at_zero_and_follows_the_passes(system, drawn) -> None:
    net, images = system.coarse_net, drawn[0]
    trajectory = net.iterate(images)
    assert trajectory.shape == (4, net.passes + 1, 150)
    np.testing.assert_array_equal(trajectory[:, 0], np.zeros((4, 150)))
    corrections = [net.correct(images, trajectory[:, number]) for number in range(2)]
    np.testing.assert_allclose(trajectory[:, 1], corrections[0], atol=1e-4)
    np.testing.assert_allclose(trajectory[:, 2], np.mean(corrections, axis=0), atol=1e-4)
    np.testing.assert_allclose(net(images), net.to_code(trajectory[:, -1]), atol=1e-4)


def test_a_converged_face_stays(system: CoarseFine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the network would move it on; the others go on."""
    net = CoarseFine.of_model(system.morphable_model, SIZE).coarse_net
    asked = []

    def correct(images: tf.Tensor, solution: tf.Tensor) -> tf.Tensor:
        """The first face: by less than the tolerance, then far; the second: by one each pass."""
        asked.append(len(solution))
        far = tf.reduce_mean(tf.abs(solution[:1])) > 0.001
        return tf.concat([tf.where(far, 9.0, 0.005) * tf.ones([1, 150]), solution[1:] + 1.0], 0)

    monkeypatch.setattr(net, "correct", correct)
    pictures = np.zeros((2, SIZE, SIZE, 3), np.float32)
    trajectory = net.iterate(pictures, passes=3).numpy()
    np.testing.assert_allclose(trajectory[0], np.repeat([[0.0], [5e-3], [5e-3], [5e-3]], 150, 1))
    np.testing.assert_allclose(trajectory[1, :, 0], [0.0, 1.0, 1.5, 1.5 + 1 / 3], rtol=1e-5)
    alone = net.iterate(pictures[:1], passes=3).numpy()
    np.testing.assert_allclose(alone[0], trajectory[0])  # the last is given for passes not made


def test_the_first_pass_alone_is_that_of_the_trajectory(system, drawn) -> None:
    first = FirstPass(system.coarse_net)(drawn[0])
    second = system.coarse_net.to_code(system.coarse_net.iterate(drawn[0])[:, 1])
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-3)


def test_the_geometry_error_is_that_of_the_meshes(system: CoarseFine) -> None:
    """Eq. (4): the distance of coefficients in the metric of the bases is that of vertices."""
    codes = FaceSampler(system.morphable_model, system.decoder, SyntheticConfig()).draw(
        3, tf.constant([1, 2], tf.int64)
    )
    truth = system.true_solutions(codes)
    found = truth + 0.2 * tf.random.stateless_normal(truth.shape, [3, 4])
    terms = system.supervised_terms(found, truth)
    meshes = [
        system.decoder.face_model.vertices(*tf.split(s[:, :-POSE], [80, 64], -1))
        for s in (found, truth)
    ]
    squared = np.sum(np.square(meshes[0] - meshes[1]), axis=-1) @ system.compared
    expected = np.mean(squared / system.compared.sum())
    weights = system.losses_config
    assert float(terms["geometry"]) == pytest.approx(weights.geometry * expected, rel=1e-2)
    pose = np.mean(np.square(found[:, -POSE:] - truth[:, -POSE:]))
    assert float(terms["pose"]) == pytest.approx(weights.pose * pose, rel=1e-5)


def test_geometry_and_pose_begin_alike(repository: Path) -> None:
    """Section 3.3: the weights balance the errors of the zero solution on drawn faces."""
    file = repository / "configs/coarse_fine_paper.yaml"
    config = load_config(file, [f"model.image_size={SIZE}"])
    assert isinstance(config, CoarseFineConfig)
    model = load_default_face_model("coarse")
    system = CoarseFine.of_model(model, SIZE, losses=config.losses)
    sampler = FaceSampler(model, system.decoder, config.data.synthetic)
    truth = system.true_solutions(sampler.draw(64, tf.constant([5, 6], tf.int64)))
    terms = system.supervised_terms(tf.zeros_like(truth), truth)
    assert 0.5 < float(terms["geometry"] / terms["pose"]) < 2.0


@pytest.mark.parametrize("term", ["shading", "slopes"])
def test_depth_gradients_reach_coarse_net(system, drawn, term) -> None:
    """Eq. (5) to (7): the criterion of FineNet's surface trains CoarseNet through the layer."""
    variables = [system.coarse_net.network.get_layer("code").kernel]
    (on_head,) = _gradients(system, drawn, variables, term)
    assert float(tf.norm(on_head[:, :-POSE])) > 0
    assert float(tf.norm(on_head[:, -POSE:])) > 0


def test_a_step_against_a_depth_gradient_lowers_the_error(system, drawn) -> None:
    """So gradients point the right way through the rendering layer.

    Of one pass: those before are constants to the gradient, and a step changes them too. Not by
    the criterion, to whose gradient light, reflectance and mask are constants: there a step is a
    matter of luck.
    """
    copy = CoarseFine.from_config({**system.get_config(), "passes": 1})
    copy.set_weights(system.get_weights())
    net, truth = copy.coarse_net, copy.true_solutions(drawn[1]["code"])
    known = copy.maps.see(net.parts(truth), SIZE)

    def error() -> tf.Tensor:
        faces = copy.maps.see(net.parts(copy.last_solution(drawn[0])), SIZE)
        both = faces.mask * known.mask
        return tf.reduce_sum(both * tf.abs(faces.height - known.height)) / tf.reduce_sum(both)

    before, after = _errors_around_a_step(error, net.network.trainable_variables)
    assert after < before


@pytest.mark.parametrize("term", ["slopes", "shading"])
def test_a_step_against_fine_nets_gradient_lowers_the_error(system, drawn, term) -> None:
    copy = CoarseFine.from_config({**system.get_config(), "passes": 1})
    copy.set_weights(system.get_weights())
    before, after = _errors_around_a_step(
        lambda: _joint(copy, drawn, term), copy.fine_net.trainable_variables
    )
    assert after < before


def _errors_around_a_step(
    error: Callable[[], tf.Tensor], variables: list[keras.Variable]
) -> tuple[float, float]:
    """Before and after a short step against the gradient."""
    with tf.GradientTape() as tape:
        before = error()
    gradients = tape.gradient(before, variables)
    norm = tf.linalg.global_norm(gradients)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_sub(0.002 * gradient / norm)
    return float(before), float(error())


def _joint(
    system: CoarseFine, drawn: tuple[np.ndarray, dict[str, np.ndarray]], term: str
) -> tf.Tensor:
    original = system.true_solutions(drawn[1]["code"])
    surface = system.maps.see(system.coarse_net.parts(original), SIZE).height
    return system.fine_terms(drawn[0], original, tf.ones([4]), surface)[term]


def _gradients(
    system: CoarseFine,
    drawn: tuple[np.ndarray, dict[str, np.ndarray]],
    variables: list[keras.Variable],
    term: str,
) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        value = _joint(system, drawn, term)
    return tape.gradient(value, variables)


def test_skin_has_the_grey_values_of_the_albedo_model(system: CoarseFine) -> None:
    """Its mean, and the change by one sigma of a mode, as the decoder gives them."""
    faces = system.maps.see(system.coarse_net.parts(tf.zeros([1, 150])), SIZE)
    skin, mean, modes = system.paint_skin(faces)
    model = system.decoder.face_model
    for number in (0, 3, 9):
        sigma = tf.one_hot([number], system.decoder.code_sizes["albedo"])
        plain, changed = (grey(model.albedo_colours(code)[0]) for code in (0 * sigma, sigma))
        expected = system.maps.paint(changed - plain, faces)
        np.testing.assert_allclose(modes[..., number : number + 1], expected, atol=1e-4)
    np.testing.assert_allclose(mean, system.maps.paint(plain, faces), atol=1e-4)
    assert modes.shape[-1] == 10
    assert 0.1 < np.mean(skin) < 0.5


def test_fidelity_holds_the_original_solution(system, drawn) -> None:
    """Of photos: what all passes give, by the terms that measure the errors of drawn faces."""
    images, weight = drawn[0], system.losses_config.coarse
    original = system.coarse_net.iterate(images)[:, -1]
    here = system.fine_terms(images, original, tf.zeros([4]), NOT_KNOWN)
    assert float(here["coarse"]) == pytest.approx(0.0, abs=1e-4)
    assert float(here["pose"]) == float(here["geometry"]) == 0.0
    away = system.fine_terms(images, original + 0.1, tf.zeros([4]), NOT_KNOWN)
    moved = sum(map(float, system.supervised_terms(original, original + 0.1).values()))
    assert float(away["coarse"]) == pytest.approx(weight * moved, rel=1e-2)


def test_drawn_faces_hold_coarse_net_at_the_truth(system, drawn) -> None:
    """Their half of a batch: the same terms, whichever faces are the others."""
    images, truth = drawn[0], system.true_solutions(drawn[1]["code"])
    found = system.coarse_net.iterate(images)[:, -1]
    terms = system.fine_terms(images, truth, tf.constant([0.0, 1.0, 1.0, 0.0]), NOT_KNOWN)
    errors = system.solution_errors(found, truth)
    for name, error in errors.items():
        expected = tf.reduce_sum(error[1:3]) / 4
        assert float(terms[name]) == pytest.approx(float(expected), rel=2e-2), name
    held = system.losses_config.coarse * sum(float(e[0] + e[3]) for e in errors.values()) / 4
    assert float(terms["coarse"]) == pytest.approx(held, rel=2e-2)


def test_slopes_are_asked_of_drawn_faces_alone(system, drawn) -> None:
    """Also where a surface is given of others; of a half of a batch and of the other half."""
    images, truth = drawn[0], system.true_solutions(drawn[1]["code"])
    surface = system.maps.see(system.coarse_net.parts(truth), SIZE).height

    def slopes(*flags: float) -> float:
        terms = system.fine_terms(
            images, truth, tf.constant(flags, tf.float32), surface, truth + 0.05
        )
        return float(terms["slopes"])

    halves = [slopes(0, 1, 1, 0), slopes(1, 0, 0, 1)]
    assert min(halves) > 1e-3
    assert sum(halves) == pytest.approx(slopes(1, 1, 1, 1), rel=1e-4)
    assert slopes(0, 0, 0, 0) == 0.0


def test_slope_error_does_not_know_how_far_away_a_face_is() -> None:
    true = np.random.default_rng(2).uniform(5.0, 5.5, (2, 8, 8, 1)).astype(np.float32)
    mask = np.zeros_like(true)
    mask[:, 2:6, 2:6] = 1.0
    problem = _problem(true, mask)
    np.testing.assert_allclose(slope_error(true + 7.0, true, problem), 0.0, atol=1e-5)
    tilted = true + 0.3 * np.arange(8, dtype=np.float32)[:, None]
    np.testing.assert_allclose(slope_error(tilted, true, problem), 0.3**2, rtol=1e-4)
    for unknown in (slope_error(tilted, 0.0 * true, problem), _nowhere(tilted, true)):
        np.testing.assert_array_equal(unknown, [0.0, 0.0])


def _nowhere(found: np.ndarray, true: np.ndarray) -> tf.Tensor:
    return slope_error(found, true, _problem(true, 0.0 * true))


def _problem(heights: np.ndarray, mask: np.ndarray) -> ShadingProblem:
    return ShadingProblem(mask, heights, mask, mask, tf.zeros([len(mask), 4]), mask)


def test_slope_error_asks_nothing_at_an_outline() -> None:
    """Where the nose of the truth ends a pixel further, for instance."""
    true, coarse = np.full((2, 1, 8, 8, 1), 5.0, np.float32)
    true[:, :, 4:] += 20.0
    coarse[:, :, 5:] += 20.0
    problem = _problem(coarse, np.ones_like(true))
    np.testing.assert_array_equal(slope_error(coarse, true, problem), [0.0])
    tilted = coarse + 0.1 * np.arange(8, dtype=np.float32)[:, None]
    assert float(slope_error(tilted, true, problem)[0]) == pytest.approx(0.1**2, rel=0.3)


def test_the_slopes_of_drawn_faces_are_those_of_the_truth(system, drawn) -> None:
    """Whatever the coarse surface is: where FineNet gives the true one there is no error."""
    original, flags = system.true_solutions(drawn[1]["code"]), tf.ones([4])
    faces = system.maps.see(system.coarse_net.parts(original), SIZE)
    relief = faces.mask * random_relief(4, SIZE, tf.constant([1, 2], tf.int64))
    surface = faces.height + relief
    for solved in (original, original + 0.05):
        coarse = system.maps.see(system.coarse_net.parts(solved), SIZE).height
        for given, least, most in ((coarse, 1e-3, np.inf), (surface, 0.0, 1e-6)):
            call = system.fine_net.call
            system.fine_net.call = lambda *_, h=given: h
            try:
                terms = system.fine_terms(drawn[0], original, flags, surface, solved=solved)
            finally:
                system.fine_net.call = call
            assert least <= float(terms["slopes"]) <= most


def test_states_lie_between_the_truth_and_another_face(system: CoarseFine) -> None:
    """Eq. (3), and some zeros, where every iteration starts."""
    data = load_config(
        Path(__file__).parents[2] / "configs/coarse_fine_quickstart.yaml",
        ["data.synthetic.supersampling=1", "data.synthetic.corpus=16"],
    ).data
    batches = system.training_batches(data, 16, seed=0).take(4)
    shares = []
    for _, targets in batches:
        truth = system.true_solutions(targets["code"]).numpy()
        other, state = np.roll(truth, 1, axis=0), targets["state"].numpy()
        zero = (state == 0).all(axis=1)
        across = truth - other
        share = np.sum((state - other) * across, 1) / np.sum(across**2, 1)
        expected = other + share[:, None] * across
        np.testing.assert_allclose(state[~zero], expected[~zero], atol=1e-4)
        shares += list(np.where(zero, np.nan, share))
    assert 0.3 < np.mean(np.isnan(shares)) < 0.7
    assert 0 <= np.nanmin(shares) < 0.2 < 0.8 < np.nanmax(shares) <= 1


def test_passes_before_correct_half_of_a_batch_and_a_quarter_twice(system, drawn) -> None:
    images, solutions = drawn[0], [tf.zeros([4, 150])]
    corrections = []
    for _ in range(2):
        corrections.append(system.coarse_net.correct(images, solutions[-1]))
        solutions.append(tf.reduce_mean(corrections, axis=0))
    passes = np.array([2, 0, 1, 0], np.int32)
    found = system.corrected_before(images, solutions[0], passes).numpy()
    for face, count in enumerate(passes):
        np.testing.assert_allclose(found[face], solutions[count][face], atol=1e-4)
    assert np.abs(found[0] - solutions[1][0]).max() > 1e-3
    # Shares of two devices, of which one has nothing to correct.
    one = system.corrected_before(images[:1], tf.zeros([1, 150]), passes[:1]).numpy()
    np.testing.assert_allclose(one[0], found[0], atol=1e-4)
    none = system.corrected_before(images[1:2], tf.zeros([1, 150]), passes[1:2]).numpy()
    np.testing.assert_array_equal(none, np.zeros((1, 150)))


@pytest.mark.parametrize("times", [2.0, 3.25])
def test_detail_of_a_larger_picture_is_of_the_same_face(system, drawn, times) -> None:
    images, side = drawn[0][:1], int(times * SIZE)
    code = system.coarse_net(images)
    large = tf.image.resize(images, [side] * 2)
    small, fine = system.detail(images, code), system.detail(large, code)
    assert fine["heights"].shape == (1, side, side, 1)
    both = tf.image.resize(fine["coarse"], [SIZE] * 2, "area") / times
    inside = tf.image.resize(fine["mask"], [SIZE] * 2, "area") == 1
    apart = np.abs(both - small["coarse"])[inside & (small["mask"] == 1)]
    assert np.median(apart) < 0.1  # px


def test_albedo_is_the_mean_and_there_is_no_light(system, drawn) -> None:
    face = system.reconstruct(drawn[0])
    mean = system.morphable_model.albedo_mean
    np.testing.assert_allclose(face["albedo"][0], mean, atol=1e-5)
    assert not {"illumination", "shading", "colours"} & set(face)


def test_solutions_are_those_of_before_fine_net_training(
    system: CoarseFine, repository: Path, tmp_path: Path
) -> None:
    """A run that goes on reads them; without them it cannot go on, as CoarseNet has changed."""
    config = _small_run(repository, tmp_path)
    _, alone, both = system.stages(config, tmp_path)
    images, targets = next(iter(alone.make_batches(0)))
    np.testing.assert_array_equal(targets["drawn"], [0, 1])
    expected = system.coarse_net.iterate(images)[:, -1]
    np.testing.assert_allclose(targets["solved"], expected, atol=2e-2)
    np.testing.assert_array_equal(targets["original"][0], targets["solved"][0])
    assert np.abs(targets["original"][1] - expected[1]).max() > 0.1  # the truth
    assert len(np.load(tmp_path / "solutions.npz")["drawn"]) == 6
    np.testing.assert_array_equal(targets["surface"][0], np.zeros((SIZE, SIZE, 1)))
    true = system.maps.see(system.coarse_net.parts(targets["original"][1:]), SIZE)
    relief = (targets["surface"][1] - true.height[0]).numpy()
    skin = system.maps.paint(tf.constant(system.compared[:, None]), true)[0].numpy()
    assert np.abs(relief[skin > 0]).max() > 0.1  # px
    np.testing.assert_allclose(relief[(skin == 0) & (true.mask[0] > 0)], 0.0, atol=1e-4)
    assert np.abs(targets["surface"][1][true.mask[0] == 0]).max() == 0
    straight = [t for _, t in alone.make_batches(0).take(4)]
    again = [t for _, t in alone.make_batches(1).take(1)] + [
        t
        for _, t in both.make_batches(0).take(2)  # goes on after two steps of the stage before
    ]
    for one, other in zip(straight[1:], again, strict=True):
        np.testing.assert_array_equal(one["original"], other["original"])
    assert "solved" not in again[-1]
    (tmp_path / "solutions.npz").unlink()
    with pytest.raises(ConfigError, match=r"solutions\.npz"):
        both.make_batches(1)


def test_fine_net_alone_leaves_coarse_net_as_it_is(
    system: CoarseFine, repository: Path, tmp_path: Path
) -> None:
    """Exactly, also where moments of the stage before are left; then both learn."""
    config = _small_run(repository, tmp_path)
    copy = CoarseFine.from_config(system.get_config())
    copy.set_weights(system.get_weights())
    copy.morphable_model = system.morphable_model
    copy.compile(optimizer=copy.make_optimizer(config))
    nets = {"coarse": copy.coarse_net.network, "fine": copy.fine_net}
    learned = []
    for stage in copy.stages(config, tmp_path):
        before = {name: net.get_weights() for name, net in nets.items()}
        copy.fit(stage.make_batches(0), steps_per_epoch=2, verbose=0)
        after = {name: net.get_weights() for name, net in nets.items()}
        learned.append({n for n in nets if any(map(np.any, _differences(after[n], before[n])))})
    assert learned == [{"coarse"}, {"fine"}, {"coarse", "fine"}]


def _differences(after: list[np.ndarray], before: list[np.ndarray]) -> list[np.ndarray]:
    return [a != b for a, b in zip(after, before, strict=True)]


def _small_run(repository: Path, output: Path) -> CoarseFineConfig:
    changes = [
        "data.synthetic.corpus=4",
        "data.synthetic.supersampling=1",
        "optimizer.warmup_steps=0",
        "optimizer.schedule=constant",
        "training.batch_size=2",
        "training.steps_per_epoch=2",
        "training.epochs=1",
        "end_to_end.fine_epochs=1",
        "end_to_end.synthetic={corpus: 6, supersampling: 1}",
        f"model.image_size={SIZE}",
        f"output={output}",
    ]
    config = load_config(repository / "configs/coarse_fine_quickstart.yaml", changes)
    assert isinstance(config, CoarseFineConfig)
    return config


def test_a_batch_of_one_has_no_other_face(repository: Path) -> None:
    file = repository / "configs/coarse_fine_quickstart.yaml"
    with pytest.raises(ConfigError, match="training: expected a batch_size of at least 2"):
        load_config(file, ["training.batch_size=1"])
