//! Sampling of a trained run: every solver and grid on one model, guidance, and refused settings.

use crate::command::{Folder, TINY, bytes, text};
use serde_json::Value;
use std::path::Path;
use triflow::io::{npz, to_tensor};
use triflow::run::Run;
use triflow::tch::{Kind, Tensor};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn evaluate(folder: &Folder, run: &Path, args: &[&str]) -> Value {
    let all = ["evaluate", "--run", text(run), "--draws", "1", "--steps", "6"];
    json(&folder.succeeds(&[&all[..], args].concat()))
}

#[test]
fn one_model_of_each_objective_is_sampled_by_every_solver_and_grid() {
    let folder = Folder::new();
    for objective in ["flow_matching", "diffusion", "ct"] {
        let run = folder.tiny(&["train-gen", "--model-type", objective]);
        // Network evaluations of 6 steps, without the final denoising.
        for (solver, nfe) in [
            ("euler", 6),
            ("ddim", 6),
            ("ancestral", 6),
            ("dpmpp", 6),
            ("exponential", 6),
            ("euler_maruyama", 6),
            ("heun", 12),
            ("heun_edm", 12),
        ] {
            for (grid, label) in [("time", "time"), ("gamma", "gamma"), ("karras", "karras(7)")] {
                let args = ["--solver", solver, "--grid", grid];
                let keep = ["--set", "sampling.final_denoise=false"];
                let found = evaluate(&folder, &run, &[&args[..], &keep].concat());
                let what = format!("{objective} {solver} {grid}");
                assert_eq!(found["sampling"]["solver"], solver, "{what}");
                assert_eq!(found["sampling"]["grid"], label, "{what}");
                // On the straight path with steps in time, the last step of heun_edm ends without
                // noise.
                let spared = objective == "flow_matching" && solver == "heun_edm" && grid == "time";
                let nfe = nfe - i64::from(spared);
                assert_eq!(found["sampling"]["nfe"], nfe, "{what}");
                assert!(found["w2"].as_f64().unwrap().is_finite(), "{what}: {found}");
            }
        }
    }
}

#[test]
fn a_stochastic_draw_is_its_seeds() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--model-type", "diffusion"]);
    let draw = |seed: &str, out: &str, solver: &[&str]| {
        let args = ["generate", "--run", text(&run), "--n", "20", "--seed", seed, "--out", out];
        folder.succeeds(&[&args[..], solver].concat());
        bytes(&folder.join(out))
    };
    let noisy = ["--solver", "euler_maruyama", "--set", "sampling.solver.eta=0.7"];
    let first = draw("1", "a.npz", &noisy);
    assert!(first == draw("1", "b.npz", &noisy), "one seed, one draw");
    assert!(first != draw("2", "c.npz", &noisy), "another seed, another draw");
    let still = ["--solver", "euler_maruyama", "--set", "sampling.solver.eta=0"];
    assert!(first != draw("1", "d.npz", &still), "the noise is heard");
}

#[test]
fn the_z0_that_is_saved_leads_to_the_samples_beside_it() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let generate =
        ["generate", "--run", text(&run), "--n", "4", "--seed", "9", "--save-z0", "--out"];
    folder.succeeds(&[&generate[..], &["s.npz"]].concat());
    let tensor = |name: &str| to_tensor(&npz::read_array(&folder.join("s.npz"), name).unwrap());
    let [z0, labels, samples] = ["z0", "labels", "samples"].map(|name| tensor(name).unwrap());
    assert_eq!(z0.size(), [8, 2]);
    triflow_plugins::link();
    let mut model = Run::open(&run).unwrap().load().unwrap();
    let (condition, _) = model.condition(&labels).unwrap();
    let plan = model.plan();
    let end = model.sample_latents(&z0, Some(&condition), &plan, &mut ()).unwrap().z;
    let off = (model.present(&end).unwrap() - samples).abs().max().double_value(&[]);
    assert!(off < 1e-6, "{off}");
    assert_eq!(
        folder.fails(&[&generate[..], &["s.csv"]].concat()),
        "error: --save-z0 needs an .npz file, and --out is s.csv\n  help: give --out a name that ends in .npz"
    );
}

#[test]
fn states_along_the_paths_go_from_z0_to_the_samples() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--unconditional"]);
    let generate = |words: &[&str]| {
        let all = ["generate", "--run", text(&run), "--trajectories"];
        folder.run(&[&all[..], words].concat())
    };
    let read = |file: &str, names: [&str; 4]| {
        names.map(|name| to_tensor(&npz::read_array(&folder.join(file), name).unwrap()).unwrap())
    };
    let words = ["--n", "3", "--steps", "4", "--save-z0", "--out", "s.npz"];
    assert_eq!(generate(&words).code, 0);
    let [z0, samples, states, times] = read("s.npz", ["z0", "samples", "trajectories", "times"]);
    assert_eq!((states.size(), times.size()), (vec![3, 5, 2], vec![5]));
    assert_eq!(Vec::<f64>::try_from(&times).unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(states.select(1, 0), z0);
    triflow_plugins::link();
    let mut model = Run::open(&run).unwrap().load().unwrap();
    assert_eq!(model.present(&states.select(1, 4)).unwrap(), samples);
    // On a grid in log-SNR the times are those of its nodes, and the ends are not reached.
    assert_eq!(
        generate(&["--n", "3", "--grid", "gamma", "--steps", "2", "--out", "g.npz"]).code,
        0
    );
    let times = to_tensor(&npz::read_array(&folder.join("g.npz"), "times").unwrap()).unwrap();
    let off = (times - Tensor::from_slice(&[1e-3, 0.5, 1.0 - 1e-3])).abs().max().double_value(&[]);
    assert!(off < 1e-6, "{off}");
    let table = generate(&["--out", "s.csv"]);
    assert!(table.err.contains("--trajectories needs an .npz file, and --out is s.csv"));
    let apart = generate(&[
        "--n",
        "9",
        "--solver",
        "dopri5",
        "--set",
        "sampling.block=2",
        "--out",
        "d.npz",
    ]);
    assert_eq!(apart.code, 2);
    assert!(apart.err.contains("takes other steps in each block of rows"), "{}", apart.err);
    assert!(!folder.join("d.npz").exists());
}

#[test]
fn a_noise_schedule_that_is_not_learned_is_in_the_weights_file() {
    let folder = Folder::new();
    let schedule = ["--set", "objective=ct", "--set", "noise_schedule=monotonic_nn"];
    let run = folder.tiny(&[&["train-gen"][..], &schedule].concat());
    let draw = |out: &str| {
        folder.succeeds(&[
            "generate",
            "--run",
            text(&run),
            "--seed",
            "1",
            "--n",
            "2",
            "--out",
            out,
        ]);
        bytes(&folder.join(out))
    };
    let first = draw("a.npz");
    // Its variables are drawn from this seed when a model is built, and on another device from
    // another generator.
    let file = run.join("config.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let changed = config.replace("seed: 42", "seed: 43");
    assert_ne!(changed, config);
    std::fs::write(&file, changed).unwrap();
    assert!(first == draw("b.npz"));
}

#[test]
fn guidance_needs_a_model_that_knows_no_condition_too() {
    let folder = Folder::new();
    let deaf = folder.tiny(&["train-gen"]);
    let guided = |run: &Path| {
        let args =
            ["generate", "--run", text(run), "--n", "5", "--guidance", "2", "--out", "g.npz"];
        folder.run(&args)
    };
    let refused = guided(&deaf);
    assert_eq!(refused.code, 2);
    for part in [
        "never trained without its condition",
        "at sampling.guidance (--guidance)",
        "condition_dropout: 0.1",
    ] {
        assert!(refused.err.contains(part), "no `{part}` in\n{}", refused.err);
    }
    let run = folder.tiny(&["train-gen", "--set", "training.condition_dropout=0.2"]);
    assert_eq!(guided(&run).code, 0);
    let nfe = |w: &str, interval: &str| {
        let set = format!("sampling.guidance_interval={interval}");
        evaluate(&folder, &run, &["--solver", "euler", "--guidance", w, "--set", &set])["sampling"]
            ["nfe"]
            .clone()
    };
    assert_eq!(nfe("1", "[0, 1]"), 6);
    assert_eq!(nfe("2", "[0, 1]"), 12);
    // The interval holds the first three of the times 0, 1/6, … 5/6.
    assert_eq!(nfe("2", "[0, 0.4]"), 9);
}

#[test]
fn what_cannot_be_sampled_so_is_refused_before_the_training() {
    let folder = Folder::new();
    let refused = |args: &[&str], parts: &[&str]| {
        let error = folder.fails(&[&["train-gen"], &TINY[..], args].concat());
        for part in parts {
            assert!(error.contains(part), "no `{part}` in\n{error}");
        }
    };
    for (key, value, part) in [
        ("sampling.solver", "{type: ddim, eta: 2}", "needs 0 <= eta <= 1, got 2"),
        ("sampling.solver", "{type: exponential, order: 3}", "needs at most 2, got 3"),
        (
            "sampling.solver",
            "{type: heun_edm, churn_from: 2, churn_to: 1}",
            "not below `churn_from`",
        ),
        ("sampling.grid", "{type: karras, rho: 0}", "needs a number above 0, got 0"),
        ("sampling.steering", "{type: toward, strength: -1}", "needs a number of at least 0"),
        ("sampling.guidance_interval", "[0.5, 0.2]", "needs from <= to"),
    ] {
        let assignment = format!("{key}={value}");
        refused(&["--set", &assignment], &[part, key]);
    }
    refused(
        &["--set", "source=eight_gaussians", "--set", "sampling.solver=dpmpp"],
        &[
            "the solver `dpmpp` needs Gaussian noise",
            "`eight_gaussians` is not N(0, I)",
            "at sampling.solver",
        ],
    );
    // Only the sampling settings of a trained run can be changed.
    let run = folder.tiny(&["train-gen"]);
    let args = ["generate", "--run", text(&run), "--set", "training.epochs=3", "--out", "x.npz"];
    assert!(folder.fails(&args).contains("only keys of `sampling` can be set for a trained run"));
}

#[test]
fn sequences_begin_at_inverted_edited_and_partly_given_rows_of_their_lengths() {
    let folder = Folder::new();
    let data = "data={ type: damped_oscillators, samples: 60, steps: 6, shortest: 3 }";
    let network = "crn.network={ type: temporal_conv, width: 8, blocks: 1, condition: before }";
    let train = ["train-seq", "--generate", "--num-epochs", "1", "--set", data, "--set", network];
    let run = folder.train(&[&train[..], &["--set", "sampling.solver=rk4"]].concat());
    let shape = ["--set", "samples=4", "--set", "steps=6", "--set", "shortest=3"];
    let args = [&["data", "damped_oscillators"], &shape[..], &["--out", "rows.npz"]].concat();
    folder.succeeds(&args);
    let generate = |args: &[&str]| {
        folder.succeeds(&[&["generate", "--run", text(&run), "--steps", "20"], args].concat())
    };
    let tensor = |file: &str, name: &str| {
        to_tensor(&npz::read_array(&folder.join(file), name).unwrap()).unwrap()
    };
    let rows = tensor("rows.npz", "y");
    let lengths = tensor("rows.npz", "y_lengths");
    // Conditions and both lengths are in every file that is written.
    generate(&["--invert", "rows.npz", "--out", "states.npz"]);
    generate(&["--from", "states.npz", "--out", "back.npz"]);
    let off = (tensor("back.npz", "samples") - &rows).abs().max().double_value(&[]);
    assert!(off < 1e-4, "{off}");
    for name in ["lengths", "condition_lengths"] {
        assert!(tensor("back.npz", name).equal(&lengths), "{name}");
    }
    // The files of samples are rows too.
    generate(&["--edit", "back.npz", "--at", "0.9", "--n", "2", "--out", "edited.npz"]);
    assert_eq!(tensor("edited.npz", "samples").size(), [8, 6, 1]);
    let each = lengths.repeat_interleave_self_int(2, 0, None::<i64>);
    assert!(tensor("edited.npz", "lengths").equal(&each));
    // Unknown from position 1 on; what stands in the padding is no entry.
    let partial = rows.copy();
    let _ = partial.narrow(1, 1, 5).fill_(f64::NAN);
    let arrays = [("y", &partial), ("x", &tensor("rows.npz", "x")), ("lengths", &lengths)];
    let arrays = arrays.map(|(name, all)| triflow::io::to_array(name, all).unwrap());
    npz::write_npz(&folder.join("partial.npz"), &arrays).unwrap();
    generate(&["--given", "partial.npz", "--out", "completed.npz"]);
    let completed = tensor("completed.npz", "samples");
    assert!(completed.select(1, 0).equal(&rows.select(1, 0)));
    let mask = triflow::sequence::mask_of(&lengths, 6, Kind::Float).unsqueeze(2);
    assert!(completed.ne(0.0).to_kind(Kind::Float).equal(&mask));
    let refused = |args: &[&str], part: &str| {
        let refused = folder.run(&[&["generate", "--run", text(&run)], args].concat());
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.err.contains(part), "no `{part}` in\n{}", refused.err);
    };
    let none = "rows.npz: all entries are given";
    refused(&["--given", "rows.npz", "--out", "x.npz"], none);
    let table = "--out x.csv: a table holds no sequences [6, 1]";
    refused(&["--given", "partial.npz", "--out", "x.csv"], table);
}

#[test]
fn samples_begin_at_inverted_edited_and_partly_given_rows() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--set", "sampling.solver=rk4"]);
    let generate = |args: &[&str]| {
        folder.succeeds(&[&["generate", "--run", text(&run), "--steps", "40"], args].concat())
    };
    folder.write("rows.csv", "x0,x1,label\n0.5,0.25,0\n-1,0.5,1\n1.5,-0.25,1\n");
    let told = generate(&["--invert", "rows.csv", "--out", "states.npz"]);
    assert_eq!(told.trim(), "3 states at t = 0, in states.npz");
    let told = generate(&["--from", "states.npz", "--out", "back.csv"]);
    assert_eq!(told.trim(), "3 samples, from states at t = 0, in back.csv");
    let rows = |file: &str| -> Vec<Vec<f64>> {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let numbers = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
        text.lines().skip(1).map(numbers).collect()
    };
    for (back, own) in rows("back.csv").iter().zip(rows("rows.csv")) {
        let off = back.iter().zip(own).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-3, "{back:?}");
    }
    // Another class for all rows, and the z_0 that a sample was drawn from.
    generate(&["--from", "states.npz", "--labels", "1", "--out", "other.csv"]);
    assert!(rows("other.csv").iter().all(|row| row[2] == 1.0));
    generate(&["--n", "5", "--save-z0", "--out", "drawn.npz"]);
    generate(&["--from", "drawn.npz", "--out", "again.npz"]);
    let samples =
        |file: &str| to_tensor(&npz::read_array(&folder.join(file), "samples").unwrap()).unwrap();
    assert!(samples("drawn.npz").equal(&samples("again.npz")));
    generate(&["--edit", "rows.csv", "--at", "0.9", "--n", "2", "--out", "edited.csv"]);
    assert_eq!(rows("edited.csv").len(), 6);
    folder.write("partial.csv", "x0,x1,label\n0.5,,0\n,0.125,1\nNaN,,1\n");
    generate(&["--given", "partial.csv", "--out", "completed.csv"]);
    let completed = rows("completed.csv");
    assert_eq!((completed[0][0], completed[1][1]), (0.5, 0.125));
    assert!(completed.iter().flatten().all(|value| value.is_finite()));
    let refused = |args: &[&str], part: &str| {
        let all = ["generate", "--run", text(&run), "--out", "x.csv"];
        let refused = folder.run(&[&all[..], args].concat());
        assert_eq!(refused.code, 2, "{args:?}");
        assert!(refused.err.contains(part), "no `{part}` in\n{}", refused.err);
    };
    refused(&["--from", "states.npz", "--at", "0.5"], "holds states at t = 0, but --at is 0.5");
    refused(&["--edit", "rows.csv", "--at", "1"], "--at 1: needs 0 <= at < 1");
    refused(&["--invert", "rows.csv"], "--invert needs an .npz file");
    refused(&["--at", "0.5"], "--at is the time of --from, --edit or --invert");
    let three = "2 conditions for 3 rows: give one for all, or one each\n  in --labels";
    refused(&["--from", "states.npz", "--labels", "0,1"], three);
    folder.write("bare.csv", "x0,x1\n0.5,\n");
    refused(&["--given", "bare.csv"], "help: the model takes a condition");
    refused(&["--given", "rows.csv"], "rows.csv: all entries are given");
    folder.write("wide.csv", "x0,x1,x2,label\n0.5,,1,0\n");
    refused(&["--given", "wide.csv"], "wide.csv: rows have shape [3]");
    refused(&["--from", "rows.csv"], "help: states are written by --invert");
    let out = folder.join("nll.csv");
    let args = ["evaluate", "--run", text(&run), "--draws", "1", "--likelihood", "20"];
    let told = json(&folder.succeeds(&[&args[..], &["--out", text(&out)]].concat()));
    let nll = rows("nll.csv");
    let mean = nll.iter().map(|row| row[1]).sum::<f64>() / nll.len() as f64;
    let right = told["likelihood"]["change_of_variables"]["nll_nats"].as_f64().unwrap();
    assert_eq!(told["likelihood"]["n"], nll.len());
    assert!((mean - right).abs() < 1e-6, "{mean} against {right}");
}
