import numpy as np
import pytest

from tfface import metrics


def test_black_and_white_are_root_three_apart():
    error = metrics.photometric_error(np.zeros((2, 5, 3)), np.ones((2, 5, 3)))
    np.testing.assert_allclose(error, np.sqrt(3))


def test_hidden_vertices_do_not_count():
    rendered, observed = np.zeros((4, 3)), np.zeros((4, 3))
    observed[2:] = 0.9
    observed[1] = [0.3, 0, 0.4]
    visible = np.array([True, True, False, False])
    assert metrics.photometric_error(rendered, observed, visible) == pytest.approx(0.25)


def test_the_absolute_error_is_a_mean_of_channels_in_units_of_255():
    rendered, observed = np.zeros((4, 3)), np.zeros((4, 3))
    observed[0] = [0.3, 0, -0.6]
    assert metrics.absolute_colour_error(rendered, observed) == pytest.approx(255 * 0.9 / 12)
    visible = np.array([True, True, False, False])
    assert metrics.absolute_colour_error(rendered, observed, visible) == pytest.approx(255 * 0.15)
    with pytest.raises(ValueError, match="visible: expected shape"):
        metrics.absolute_colour_error(rendered, observed, visible[:3])


def test_nothing_visible_is_nan():
    assert np.isnan(metrics.photometric_error(np.zeros((4, 3)), np.ones((4, 3)), np.zeros(4)))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="observed"):
        metrics.photometric_error(np.zeros((4, 3)), np.zeros((5, 3)))
