//! `export`: files that LibTorch evaluates to the samples of the command, and what is refused.

use crate::command::{Folder, bytes, text};
use triflow::io::{npz, to_tensor};
use triflow::tch::{CModule, Device, Kind, Tensor, no_grad};

fn evaluated(file: &std::path::Path, inputs: &[Tensor]) -> Tensor {
    let module = CModule::load(file).unwrap();
    no_grad(|| module.forward_ts(inputs)).unwrap()
}

#[test]
fn an_exported_sampler_gives_the_samples_of_generate_from_their_z0() {
    let folder = Folder::new();
    let dropout = ["--set", "training.condition_dropout=0.2"];
    let run = folder.tiny(&[&["train-gen"][..], &dropout].concat());
    let how = ["--solver", "dpmpp", "--steps", "7", "--guidance", "1.5"];
    let generate = ["generate", "--run", text(&run), "--n", "5", "--save-z0", "--out", "all.npz"];
    folder.succeeds(&[&generate[..], &how].concat());
    let export = ["export", "--run", text(&run), "--to", "sampler", "--out", "sampler.pt"];
    let said = folder.succeeds(&[&export[..], &how].concat());
    assert!(said.starts_with("sampler, 0.") && said.ends_with(" MB, in sampler.pt"), "{said}");

    let array =
        |name: &str| to_tensor(&npz::read_array(&folder.join("all.npz"), name).unwrap()).unwrap();
    let labels = array("labels").to_kind(Kind::Int64);
    let found = evaluated(&folder.join("sampler.pt"), &[array("z0"), labels]);
    let off = (found - array("samples")).abs().max().double_value(&[]);
    assert!(off < 1e-5, "{off}");
    // The same run, the same bytes.
    let again = ["export", "--run", text(&run), "--to", "sampler", "--out", "again.pt"];
    folder.succeeds(&[&again[..], &how].concat());
    let same =
        evaluated(&folder.join("again.pt"), &[array("z0"), array("labels").to_kind(Kind::Int64)]);
    assert_eq!(
        same,
        evaluated(&folder.join("sampler.pt"), &[array("z0"), array("labels").to_kind(Kind::Int64)])
    );

    let network = ["export", "--run", text(&run), "--to", "torchscript", "--out", "network.pt"];
    folder.succeeds(&network);
    let options = (Kind::Float, Device::Cpu);
    let inputs = [
        Tensor::zeros([3, 2], options),
        Tensor::ones([3], options) * 0.5,
        Tensor::zeros([3], (Kind::Int64, Device::Cpu)),
        Tensor::ones([3], options),
    ];
    assert_eq!(evaluated(&folder.join("network.pt"), &inputs).size(), [3, 2]);
}

#[test]
fn an_exported_sampler_of_a_table_gives_its_rows() {
    let folder = Folder::new();
    let row = |i: usize| {
        let kind = ["old", "new", "none"][i % 3];
        let income = if i.is_multiple_of(7) { String::new() } else { format!("{}", i * i) };
        format!("{income},{kind},{}\n", i % 9)
    };
    folder.write("t.csv", &format!("income,kind,n\n{}", (0..90).map(row).collect::<String>()));
    let columns = ["--set", "data.columns={income: {scaling: quantile}}", "--unconditional"];
    let few = ["--num-epochs", "1", "--set", "crn.network.hidden_dims=[8]"];
    let train = ["train-gen", "--data-path", "t.csv"];
    let run = folder.train(&[&train[..], &columns, &few].concat());
    let generate = ["generate", "--run", text(&run), "--n", "30", "--save-z0", "--out", "all.npz"];
    folder.succeeds(&generate);
    folder.succeeds(&["export", "--run", text(&run), "--to", "sampler", "--out", "sampler.pt"]);
    let array =
        |name: &str| to_tensor(&npz::read_array(&folder.join("all.npz"), name).unwrap()).unwrap();
    let expected = array("samples").to_kind(Kind::Double);
    let found = evaluated(&folder.join("sampler.pt"), &[array("z0")]).to_kind(Kind::Double);
    let off = (found - &expected).abs().max().double_value(&[]);
    assert!(off < 1e-4 * expected.abs().max().double_value(&[]), "{off}");
}

#[test]
fn what_cannot_be_exported_is_refused_before_a_file_is_touched() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--unconditional"]);
    folder.write("old.pt", "old");
    let told = |to: &str, out: &str, further: &[&str]| {
        let args = ["export", "--run", text(&run), "--to", to, "--out", out];
        folder.fails(&[&args[..], further].concat())
    };
    let onnx = told("onnx", "model.onnx", &[]);
    assert!(onnx.contains("--to onnx: files in ONNX are written by the Python package"), "{onnx}");
    let how = format!("triflow.load(\"{}\").export(\"model.onnx\")", run.display());
    assert!(onnx.contains(&how), "{onnx}");
    let ending = told("torchscript", "network.onnx", &[]);
    assert!(ending.contains("--out network.onnx: the name must end in .pt"), "{ending}");
    let solver = told("torchscript", "old.pt", &["--solver", "heun"]);
    assert!(
        solver.contains("--solver is for sampling, and the file holds the network alone"),
        "{solver}"
    );
    let seed = told("sampler", "old.pt", &["--seed", "1"]);
    assert!(seed.contains("--seed is for draws of z_0, which is an input of the file"), "{seed}");
    let noisy = told("sampler", "old.pt", &["--solver", "euler_maruyama"]);
    assert!(noisy.contains("`euler_maruyama` draws random numbers on its way"), "{noisy}");
    assert!(noisy.contains("at sampling.solver (--solver)"), "{noisy}");
    let gradient = ["train-gen", "--unconditional", "--set", "crn.type=potential"];
    let gradient = folder.tiny(&gradient);
    let export = ["export", "--run", text(&gradient), "--to", "torchscript", "--out", "old.pt"];
    let derivative = folder.fails(&export);
    assert!(derivative.contains("its output is a derivative"), "{derivative}");
    assert!(derivative.contains("or in numpy by `triflow.reference`"), "{derivative}");
    let what = folder.fails(&["export", "--run", text(&run), "--to", "pickle", "--out", "a.pt"]);
    assert!(what.contains("torchscript, sampler, onnx"), "{what}");
    assert_eq!(bytes(&folder.join("old.pt")), b"old");
    // A file of a run stays as it is, and one that is none of it is replaced.
    let inside = run.join("network.pt");
    std::fs::write(&inside, "mine").unwrap();
    let kept = told("torchscript", text(&inside), &[]);
    assert!(kept.contains("where nothing is overwritten"), "{kept}");
    folder.succeeds(&["export", "--run", text(&run), "--to", "sampler", "--out", "old.pt"]);
    let samples =
        evaluated(&folder.join("old.pt"), &[Tensor::zeros([6, 2], (Kind::Float, Device::Cpu))]);
    assert_eq!(samples.size(), [6, 2]);
}
