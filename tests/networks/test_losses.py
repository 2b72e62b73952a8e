import numpy as np
import pytest
import torch

from sktgsh.networks import CodewordLoss, PairwiseLoss


def by_hand(b1, b2, similar, margin):
    distance = ((b1 - b2) ** 2).sum()
    return 0.5 * distance if similar else 0.5 * max(margin - distance, 0)


def test_all_pairs_by_hand():
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 0, 2, 1, 0])
    pairs = [(i, j) for i in range(6) for j in range(i)]
    near = [by_hand(outputs[i], outputs[j], labels[i] == labels[j], 8.0) for i, j in pairs]
    quantisation = 0.01 * np.abs(np.abs(outputs) - 1).sum(axis=1).mean()
    found = PairwiseLoss(8.0, 0.01)(torch.from_numpy(outputs), torch.from_numpy(labels))
    assert float(found) == pytest.approx(np.mean(near) + quantisation, rel=1e-4)
    same = np.array([labels[i] == labels[j] for i, j in pairs])
    for balance in (0.5, 1.0):
        weight = np.where(same, (np.sum(~same) / np.sum(same)) ** balance, 1.0)
        found = PairwiseLoss(8.0, 0.0, balance=balance)(
            torch.from_numpy(outputs), torch.from_numpy(labels)
        )
        assert float(found) == pytest.approx(np.average(near, weights=weight), rel=1e-4)
    one_each = [
        by_hand(outputs[i], outputs[i - 1], labels[i] == labels[i - 1], 8.0) for i in range(6)
    ]
    found = PairwiseLoss(8.0, 0.0, all_pairs=False)(
        torch.from_numpy(outputs), torch.from_numpy(labels)
    )
    assert float(found) == pytest.approx(np.mean(one_each), rel=1e-4)


def test_multilabel_pairs():
    outputs = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    loss = PairwiseLoss(100.0, 0.0)
    share = loss(outputs, torch.tensor([[1, 1, 0], [0, 1, 0]]))
    differ = loss(outputs, torch.tensor([[1, 0, 0], [0, 1, 0]]))
    assert float(share) == pytest.approx(2.0) and float(differ) == pytest.approx(48.0)


@pytest.mark.parametrize("kind", ["hinge", "squared_hinge", "cross_entropy", "joint"])
def test_codeword_losses(kind):
    codewords = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    loss = CodewordLoss(kind, codewords, torch.tensor([0, 1]), torch.tensor([], dtype=torch.long))
    bits, scores = torch.tensor([[0.5, 2.0]]), torch.tensor([[0.2, -0.3]])
    found = float(loss((bits, scores), torch.tensor([[1.0, 1.0]])))
    shortfall = np.array([1.5, 0.0])  # 1 - 0.5 * -1, 1 - 2 * 1
    entropy = np.log(np.exp(0.2) + np.exp(-0.3)) + 0.3
    expected = {
        "hinge": shortfall.mean(),
        "squared_hinge": (shortfall**2).mean(),
        "cross_entropy": entropy,
        "joint": (shortfall**2).mean() + 0.3 * entropy,
    }
    assert found == pytest.approx(expected[kind], rel=1e-5)
    # A row of weight 0 does not count.
    twice = (bits.repeat(2, 1), scores.repeat(2, 1))
    weighted = loss(twice, torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert float(weighted) == pytest.approx(found, rel=1e-5)


def test_structure_bits_have_real_targets():
    codewords = torch.tensor([[1.0], [-1.0]])
    loss = CodewordLoss("hinge", codewords, torch.tensor([0]), torch.tensor([1]))
    bits, scores = torch.tensor([[1.0, 0.5]]), torch.zeros(1, 2)
    found = loss((bits, scores), torch.tensor([[1.0, 2.5, 0.0]]))
    assert float(found) == pytest.approx(0.5 * 0 + 0.5 * 4.0)


def test_shares_of_classes_and_given_codes():
    codewords = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    bits, scores = torch.tensor([[0.5, 2.0]]), torch.tensor([[0.2, -0.3]])
    none = torch.tensor([], dtype=torch.long)
    loss = CodewordLoss("squared_hinge", codewords, torch.tensor([0, 1]), none, target="shares")
    found = float(loss((bits, scores), torch.tensor([[1.0, 0.5, 0.5]])))
    assert found == pytest.approx((0.5 * 0.5**2 + 0.5 * 1.5**2) / 2)  # both ways, by halves
    loss = CodewordLoss("joint", codewords, torch.tensor([0, 1]), none, target="codes")
    found = float(loss((bits, scores), torch.tensor([[1.0, -1.0, 1.0]])))
    assert found == pytest.approx(1.5**2 / 2)
