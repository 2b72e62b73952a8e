import re

from sktgsh import demo


def test_demo_runs_and_keeps_its_promises(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "OUTPUT", tmp_path / "pictures")
    monkeypatch.setattr(demo, "BITS", (4, 8))
    demo.main(table=True)
    printed = capsys.readouterr().out
    assert "Bits of older tasks that changed when the last was added: 0." in printed
    means = [line.split() for line in printed.splitlines() if line.split()[:1] == ["mean"]]
    mean = means[-1][1:]  # the first such line is the table's title
    ours, random = float(mean[1]), float(mean[3])
    assert ours > 0.9 > 0.4 > random
    figures = re.findall(
        r"^\d\. Where .*: sktgsh (\S+), ITQ (\S+) .* float vectors (\S+);", printed, re.MULTILINE
    )
    labelled, partial, never = (tuple(map(float, line)) for line in figures)
    assert labelled[0] > max(labelled[1:]) + 0.2
    assert partial[0] > max(partial[1:])
    assert never[2] > max(never[:2])  # the line that says where it does not win
    single, tens = map(float, re.search(r"recognised: ([\d.]+)% .*, ([\d.]+)%", printed).groups())
    assert tens > 95 and single > 50
    pictures = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert pictures == {
        "task_similarity.png",
        "representations.png",
        "reconstructions.png",
        "neighbours.png",
    }
