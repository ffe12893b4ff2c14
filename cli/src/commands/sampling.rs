//! `generate`, `predict`, `impute` and `evaluate`.

use super::outputs::{check_arrays, check_out, write_likelihoods};
use super::print_json;
use crate::args::{SamplingArgs, StartArgs};
use crate::terminal::say;
use std::path::Path;
use triflow::io::table::{ENDINGS, typed_ending};
use triflow::request::{
    self, Beginning, Conditions, EvaluationRequest, ImputeRequest, Options, Output,
    PredictionRequest, SampleRequest, Seeds, StartRequest, check_shape,
};
use triflow::{Error, Result, Trained};
use triflow_plugins::solvers::of_likelihoods;

/// The flags of sampling as options of a request.
pub(super) fn options(flags: &SamplingArgs) -> Options {
    let text = |flag: &Option<String>| flag.as_deref().map(Into::into);
    Options {
        steps: flags.steps,
        solver: text(&flags.solver),
        grid: text(&flags.grid),
        guidance: flags.guidance,
        set: flags.set.clone(),
        seed: flags.seed,
        noise: text(&flags.noise),
        data_path: flags.data_path.clone(),
        best: flags.best,
        ..Options::default()
    }
}

/// Arrays that are written beside samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The z_0 of each.
    pub z0: bool,
    /// The states along the path of each.
    pub trajectories: bool,
}

/// Writes samples to a file.
pub fn generate(
    run: &Path,
    (n, seeds): (Option<i64>, Option<&Path>),
    (labels, file): (&[String], Option<&Path>),
    sampling: &SamplingArgs,
    (kept, (out, quiet)): (Kept, (&Path, bool)),
) -> Result<()> {
    check_out(out)?;
    if kept.z0 {
        check_arrays(out, "--save-z0")?;
    }
    if kept.trajectories {
        check_arrays(out, "--trajectories")?;
    }
    let (_, mut model) = request::load(run, &options(sampling))?;
    let _threads = model.threads();
    check_shape(out, &model)?;
    let request = SampleRequest {
        n,
        seed: sampling.seed,
        seeds: seeds.map(Seeds::read).transpose()?,
        conditions: Conditions::of(labels, file),
        save_z0: kept.z0,
        trajectories: kept.trajectories,
        limit: None,
    };
    let written = request::generate_to(&mut model, request, out, &mut show(quiet))?;
    say!("{written}, in {}", out.display());
    Ok(())
}

/// Beginning of the paths that flags ask for, other than noise; or the rows that lead there.
#[derive(Debug)]
pub(super) enum From<'a> {
    /// Samples begin there.
    There(Beginning<'a>),
    /// The states of the rows of a file are written, at a time.
    Back(&'a Path, Option<f64>),
}

impl<'a> From<'a> {
    /// The beginning that flags ask for; `None`: noise.
    pub fn of(args: &'a StartArgs) -> Result<Option<Self>> {
        let (flags, at) = (&args.beginning, args.at);
        if let Some(at) = at.filter(|at| !(0.0..1.0).contains(at)) {
            return Err(Error::config("", format!("--at {at}: needs 0 <= at < 1")));
        }
        Ok(match (&flags.from, &flags.edit, &flags.given, &flags.invert) {
            (Some(file), ..) => Some(Self::There(Beginning::From(file, at))),
            (_, Some(file), ..) => Some(Self::There(Beginning::Edit(file, at.unwrap_or(0.0)))),
            (_, _, Some(file), _) => Some(Self::There(Beginning::Given(file))),
            (.., Some(file)) => Some(Self::Back(file, at)),
            _ if at.is_some() => {
                let message = "--at is the time of --from, --edit or --invert, and none is given";
                return Err(Error::config("", message));
            }
            _ => None,
        })
    }
}

/// Writes samples from a beginning, or states.
pub(super) fn start(
    run: &Path,
    from: From<'_>,
    request: StartRequest<'_>,
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    if request.trajectories {
        check_arrays(out, "--trajectories")?;
    }
    if matches!(from, From::Back(..)) {
        check_arrays(out, "--invert")?;
    }
    request.check()?;
    let (_, mut model) = request::load(run, &options(sampling))?;
    let _threads = model.threads();
    match from {
        From::Back(file, at) => {
            let states = request::invert(&mut model, (file, at), request, &mut show(quiet))?;
            write(&states, out, &model)
        }
        From::There(beginning) => {
            check_shape(out, &model)?;
            let samples = request::start(&mut model, beginning, request, &mut show(quiet))?;
            write(&samples, out, &model)
        }
    }
}

/// Writes the result of a request, and says where it is.
fn write<T: Output + std::fmt::Display>(result: &T, out: &Path, model: &Trained) -> Result<()> {
    result.write(out, model)?;
    say!("{result}, in {}", out.display());
    Ok(())
}

/// A function that shows the progress of sampling.
fn show(quiet: bool) -> impl FnMut(&mut Trained, i64, &'static str) {
    move |model, n, what| show_progress(model, quiet, n, what)
}

/// Writes a table with its missing cells filled in.
pub(super) fn impute(
    run: &Path,
    data: &Path,
    draws: u64,
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    crate::out::check(out, ENDINGS)?;
    let (_, mut model) = request::load(run, &options(sampling))?;
    let _threads = model.threads();
    let texts = typed_ending(out).is_none();
    let request = ImputeRequest { data, draws, seed: sampling.seed, texts };
    let filled = request::impute(&mut model, request, &mut show(quiet))?;
    filled.table.write(out)?;
    say!("{filled} of {}", out.display());
    Ok(())
}

/// Shows the progress of sampling `all` rows, which are called `what`.
pub(super) fn show_progress(model: &mut Trained, quiet: bool, all: i64, what: &'static str) {
    let mut shown = crate::progress::Sampling::new(quiet, all, what);
    model.observe_rows(move |rows| {
        shown.add(rows);
        Ok(())
    });
}

/// Predicts the y of a file's x.
pub fn predict(
    run: &Path,
    data: &Path,
    (samples, seeds): (Option<u64>, Option<&Path>),
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    let (run, mut model) = request::load(run, &options(sampling))?;
    let _threads = model.threads();
    request::check_predicts(&run, &model)?;
    check_shape(out, &model)?;
    let seeds = seeds.map(Seeds::read).transpose()?;
    let x = Conditions::File(data);
    let request = PredictionRequest { samples, seed: sampling.seed, seeds, x, limit: None };
    let predictions = request::predict((&run, &mut model), request, &mut show(quiet))?;
    write(&predictions, out, &model)
}

/// Measures a run again, on its own held-out rows or on those of a file; or generated rows of
/// another file in place of its samples.
pub fn evaluate(
    run: &Path,
    (file, samples): (Option<&Path>, Option<&Path>),
    (draws, points): (u64, i64),
    measured: (Option<&str>, &[String]),
    likelihood_rows: Option<(i64, Option<&Path>)>,
    sampling: &SamplingArgs,
) -> Result<()> {
    if let Some((_, Some(out))) = likelihood_rows {
        check_out(out)?;
    }
    let (units, metrics) = (measured.0.map(str::to_owned), measured.1.to_vec());
    let (run, mut model) = request::load(run, &Options { units, metrics, ..options(sampling) })?;
    let _threads = model.threads();
    let exact;
    let solver = match &sampling.solver {
        Some(_) => &model.experiment().sampling.solver.clone(),
        None => {
            exact = of_likelihoods();
            &exact
        }
    };
    let request = EvaluationRequest {
        data: file,
        samples,
        seed: sampling.seed,
        draws,
        points,
        likelihood: likelihood_rows.map(|(n, _)| (n, solver)),
    };
    let measured = request::evaluate((&run, &mut model), request)?;
    if let (Some((rows, target)), Some((_, Some(out)))) = (&measured.likelihood, likelihood_rows) {
        write_likelihoods(out, rows, target, model.units())?;
    }
    print_json(&measured.metrics)
}
