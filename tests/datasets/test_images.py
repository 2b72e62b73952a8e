import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from sktgsh.datasets import load_digits_tasks, make_image_tasks


def test_rotation_is_nearest_neighbour_rotation():
    images = load_digits().images[:5]
    X, y, task = make_image_tasks(images, np.arange(5), n_tasks=12)
    assert X.shape == (60, 64) and sorted(set(task)) == list(range(0, 360, 30))
    np.testing.assert_array_equal(X[task == 0], images.reshape(5, -1))
    for row, label, angle in zip(X, y, task):
        turned = ndimage.rotate(images[label], angle, reshape=False, order=0)
        np.testing.assert_array_equal(row, turned.ravel())


def test_right_angles_keep_every_pixel():
    X, _, task = load_digits_tasks(n_tasks=4)
    np.testing.assert_array_equal(X[task == 90].sum(axis=1), X[task == 0].sum(axis=1))


def test_shift_moves_without_wrapping():
    image = np.arange(1.0, 10).reshape(1, 3, 3)
    X, _, task = make_image_tasks(image, [0], kind="shift", n_tasks=5)
    assert sorted(set(task)) == [0, 1, 2, 3, 4]
    moved = {tuple(row) for row in X[1:].tolist()}
    assert (0, 1, 2, 0, 4, 5, 0, 7, 8) in moved and (4, 5, 6, 7, 8, 9, 0, 0, 0) in moved


def test_augmentations_differ_and_repeat():
    X, _, task = load_digits_tasks("augment", n_tasks=10, random_state=0)
    again, _, _ = load_digits_tasks("augment", n_tasks=10, random_state=0)
    np.testing.assert_array_equal(X, again)
    views = [X[task == name] for name in dict.fromkeys(task.tolist())]
    assert all(np.abs(a - b).max() > 0 for i, a in enumerate(views) for b in views[:i])


def test_noise_on_whole_numbers_does_not_wrap_around():
    images = np.zeros((1, 20, 20), np.uint8)
    images[:, :2] = 200
    X, _, task = make_image_tasks(images, [0], "augment", n_tasks=6, random_state=0)
    noise = X[task == "noisy"][0].astype(float) - images.ravel()
    assert noise[40:].max() < 200 and (noise[40:] == 0).mean() > 0.4


def test_permutations_are_the_same_for_all_images_and_keep_every_pixel():
    images = np.random.default_rng(0).random((3, 5, 5, 2))
    X, _, task = make_image_tasks(images, [0, 1, 2], "permuted", n_tasks=3, random_state=0)
    again, _, _ = make_image_tasks(images[1:], [1, 2], "permuted", n_tasks=3, random_state=0)
    np.testing.assert_array_equal(X[task == 0], images.reshape(3, -1))
    np.testing.assert_array_equal(X[task == 2][1:], again[4:])
    pixels, moved = images[0].reshape(25, 2), X[task == 1][0].reshape(25, 2)
    assert (pixels != moved).any()
    np.testing.assert_array_equal(pixels[pixels[:, 0].argsort()], moved[moved[:, 0].argsort()])


def test_colour_images():
    images = np.random.default_rng(0).integers(0, 255, (2, 4, 4, 3), dtype=np.uint8)
    for kind in ("rotation", "shift", "augment", "permuted"):
        X, _, _ = make_image_tasks(images, [0, 1], kind, n_tasks=4)
        assert X.shape == (8, 48) and X.dtype == np.uint8
    flat, _, _ = make_image_tasks(images.reshape(2, -1), [0, 1], n_tasks=4, image_shape=(4, 4, 3))
    np.testing.assert_array_equal(flat, make_image_tasks(images, [0, 1], n_tasks=4)[0])


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(kind="blur"), "kind='blur'"),
        (dict(n_tasks=0), "n_tasks=0"),
        (dict(kind="augment", n_tasks=99), "n_tasks=99"),
        (dict(kind="shift", n_tasks=999), "n_tasks=999"),
        (dict(image_shape=(4, 5)), "image_shape"),
    ],
)
def test_bad_arguments(params, message):
    with pytest.raises(ValueError, match=message):
        make_image_tasks(np.zeros((2, 16)), [0, 1], **params)
