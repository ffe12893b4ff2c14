"""Training, samples and predictions, beside those of the command."""

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, command, moons

import triflow


def test_samples_are_those_of_the_command_to_the_byte(run, tmp_path):
    out = tmp_path / "samples.npz"
    words = ["--n", "7", "--labels", "1,0", "--seed", "1", "--solver", "heun", "--steps", "3", "--save-z0"]
    done = command("generate", "--run", run.path, *words, "--out", out)
    assert done.returncode == 0, done.stderr
    theirs = np.load(out)
    how = {"n": 7, "labels": [1, 0], "seed": 1, "solver": "heun", "steps": 3, "progress": False}
    ours = run.generate(**how, save_z0=True)
    assert sorted(ours) == sorted(theirs.files)
    for name in theirs.files:
        assert ours[name].dtype == theirs[name].dtype or name == "classes"
        assert np.array_equal(ours[name], theirs[name]), name
    assert run.generate(**how).tobytes() == theirs["samples"].tobytes()


def test_predictions_are_those_of_the_command_to_the_byte(regression, tmp_path):
    x, _ = moons(20, seed=1)
    np.savez(tmp_path / "x.npz", x=x)
    for words, how in [([], {}), (["--samples", "3", "--seed", "5"], {"samples": 3, "seed": 5})]:
        out = tmp_path / "predictions.npz"
        done = command("predict", "--run", regression.path, "--data", tmp_path / "x.npz", *words, "--out", out)
        assert done.returncode == 0, done.stderr
        theirs = np.load(out)
        for given in (x, tmp_path / "x.npz"):
            ours = regression.predict(given, **how, details=True, progress=False)
            assert sorted(ours) == sorted(theirs.files)
            assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_two_trainings_with_one_seed_have_equal_parameters(run, tmp_path):
    x, y = moons()
    again = triflow.train(SMALL, x=x, y=y, out=tmp_path / "again", progress=False)
    other = triflow.train(SMALL, x=x, y=y, out=tmp_path / "other", set={"training.seed": 7}, progress=False)
    draw = lambda run: run.generate(n=5, seed=1, progress=False)
    assert np.array_equal(draw(run), draw(again))
    assert not np.array_equal(draw(run), draw(other))


def test_the_command_trains_the_same_model(run, tmp_path):
    done = command("run", run.path / "config.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    theirs = triflow.load(tmp_path / "run")
    assert np.array_equal(theirs.generate(n=5, seed=1), run.generate(n=5, seed=1))


def test_a_run_knows_its_results(run):
    assert run.metrics["w2"] > 0
    assert run.config["training"]["epochs"] == 3
    assert list(run.history["epoch"]) == [1, 2, 3]
    assert run.history["train_total"].dtype == np.float64
    assert run.path / "trajectories.png" in run.pictures
    page = run._repr_html_()
    assert "w2" in page and page.count("data:image/png;base64,") == 3
    assert triflow.load(run.path).metrics == run.metrics


def test_config_is_a_dict_text_or_a_path(tmp_path):
    text = "training:\n  epochs: 1\n  batch_size: 100\n"
    (tmp_path / "own.yaml").write_text(text)
    x, _ = moons(100)
    small = {"crn.network.hidden_dims": [4], "sampling.steps": 1, "threads": 1}
    configs = [text, tmp_path / "own.yaml", str(tmp_path / "own.yaml"), {"training": {"epochs": 1, "batch_size": 100}}]
    drawn = []
    for i, config in enumerate(configs):
        out = tmp_path / str(i)
        run = triflow.train(config, x=x, set={**small, "unconditional": True}, out=out, progress=False)
        assert run.config["training"]["batch_size"] == 100
        drawn.append(run.generate(n=3, seed=1, progress=False))
    assert all(np.array_equal(drawn[0], other) for other in drawn)


def test_validation_and_test_rows_are_those_given(tmp_path):
    x, y = moons(100)
    run = triflow.train(SMALL, x=x, y=y, validation=moons(30, 1), test=moons(20, 2), out=tmp_path, progress=False)
    assert run.metrics["sampling"]["n"] == 20


def test_labels_are_texts_where_the_classes_are(tmp_path):
    x, y = moons(200)
    names = np.array(["lower", "upper"])[y]
    run = triflow.train(SMALL, x=x, y=names, out=tmp_path, progress=False)
    drawn = run.generate(labels=["upper", "lower"], n=2, details=True, progress=False)
    assert list(drawn["classes"][drawn["labels"]]) == ["upper", "upper", "lower", "lower"]
    under = run.generate(condition=np.array(["upper", "lower"]), details=True, progress=False)
    assert list(under["classes"][under["labels"]]) == ["upper", "lower"]
    with pytest.raises(triflow.ConfigError, match="no class `middle`|unknown class|`middle`"):
        run.generate(labels=["middle"])


def test_ctrl_c_leaves_a_checkpoint_that_resumes_to_the_same_end(tmp_path):
    x, y = moons()
    # One file for both, as its path is a part of the saved configuration.
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    long = {**SMALL, "training": {"steps": 1000, "batch_size": 64}}

    class Stop:
        """Sends Ctrl-C after some steps."""

        def start(self, *_):
            self.sent = False

        def step(self, step, _):
            if step > 100 and not self.sent:
                self.sent = True
                signal.raise_signal(signal.SIGINT)

        def note(self, _):
            pass

        def end(self):
            pass

    import triflow._run as module

    usual, module._progress = module._progress, lambda _: Stop()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            triflow.train(long, data=tmp_path / "rows.npz", out=tmp_path / "stopped")
    finally:
        module._progress = usual
    stopped = caught.value.run
    assert stopped == tmp_path / "stopped"
    assert f"triflow resume --run {stopped}" in str(caught.value)
    assert not (stopped / "manifest.json").exists()
    *_, last = sorted(int(file.stem[5:]) for file in (stopped / "checkpoints").glob("step_*.safetensors"))
    assert 100 < last < 1000
    ended = triflow.resume(stopped, progress=False)
    whole = triflow.train(long, data=tmp_path / "rows.npz", out=tmp_path / "whole", progress=False)
    params = [(run.path / "params.safetensors").read_bytes() for run in (ended, whole)]
    assert params[0] == params[1]


def test_ctrl_c_ends_sampling(run):
    # Sampling them all would take hours.
    threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        run.generate(n=10_000_000, steps=1000, set={"sampling.block": 1000}, progress=False)


def test_other_threads_run_while_a_model_trains(tmp_path):
    x, y = moons()
    turns = []
    done = threading.Event()

    def count():
        while not done.is_set():
            turns.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = len(turns)
    config = {**SMALL, "training": {"steps": 500, "batch_size": 64}}
    triflow.train(config, x=x, y=y, out=tmp_path / "run", progress=False)
    done.set()
    thread.join()
    assert len(turns) - before > 20


def test_a_finished_run_is_trained_further(run):
    new = run.resume(epochs=4, progress=False)
    assert new.path != run.path and list(new.history["epoch"]) == [1, 2, 3, 4]


def test_tensors_are_arrays(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x, y = moons(100)
    out = [tmp_path / "arrays", tmp_path / "tensors"]
    given = [(x, y), (torch.tensor(x, requires_grad=True), torch.tensor(y))]
    runs = [triflow.train(SMALL, x=x, y=y, out=out, progress=False) for (x, y), out in zip(given, out)]
    assert np.array_equal(runs[0].generate(n=3, progress=False), runs[1].generate(n=3, progress=False))


def test_rows_in_memory_are_written_once(tmp_path):
    x, y = moons(100)
    config = {**SMALL, "output_dir": str(tmp_path)}
    first = triflow.train(config, x=x, y=y, progress=False)
    second = triflow.train(config, x=x.copy(), y=y, progress=False)
    assert first.path != second.path
    assert len(list((tmp_path / "data").iterdir())) == 1
    assert Path(first.config["data"]["path"]).parent == tmp_path / "data"
