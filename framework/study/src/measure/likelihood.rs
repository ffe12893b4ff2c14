//! Log-likelihoods of rows of data under a trained model, in the data's own units: by the change of
//! variables along the ODE, and by the variational bound.

use crate::component::{Likelihood, Pass, Solver, follows_derivative, solvers_where};
use crate::data::{Batch, Units};
use crate::error::{DIVERGED, Error, Result};
use crate::path::{Clock, rows};
use crate::registry::Component;
use crate::rng::{Purpose, seed_torch};
use crate::sample::likelihood::{Bound, Density, Divergence, bound};
use crate::sample::{Conditioned, ModelField};
use crate::trained::Trained;
use serde_json::{Value, json};
use std::f64::consts::LN_2;
use tch::{Device, Kind, Tensor};

/// Default number of probes (vectors of random signs) of the divergence.
pub const PROBES: i64 = 16;
/// Default number of draws a row of the variational bound.
pub const DRAWS: u64 = 100;

/// Solver, numbers of draws and seed of a likelihood.
#[derive(Debug)]
pub struct Options<'s> {
    /// The solver of the ODE from data to noise.
    pub solver: &'s Component<dyn Solver>,
    /// Number of steps of a fixed-step solver.
    pub steps: usize,
    /// Number of probes (vectors of random signs) if the divergence is estimated.
    pub probes: i64,
    /// Number of pairs (γ, ε) a row of the variational bound; γ is the log-SNR.
    pub draws: u64,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// A mean over rows, with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean in nats a row.
    pub nats: f64,
    /// Standard error of the mean in nats, over the rows and all draws; `None` for a single row.
    pub error: Option<f64>,
}

impl Estimate {
    fn of(values: &Tensor) -> Self {
        let n = values.size()[0];
        let error = || values.std(true).double_value(&[]) / (n as f64).sqrt();
        Self { nats: values.mean(Kind::Double).double_value(&[]), error: (n > 1).then(error) }
    }

    /// The estimate in JSON, in nats a row and bits a dimension.
    fn json(&self, dimensions: i64) -> Value {
        let bits = |nats: f64| nats / (dimensions as f64 * LN_2);
        json!({
            "nll_nats": self.nats,
            "nll_nats_error": self.error,
            "bits_per_dimension": bits(self.nats),
            "bits_per_dimension_error": self.error.map(bits),
        })
    }
}

/// The likelihood of rows.
#[derive(Debug)]
pub struct Measured {
    /// −ln p by the change of variables.
    pub density: Estimate,
    /// The variational bound on −ln p; `None` if there is none, for a reason that `json` gives.
    pub bound: Option<Estimate>,
    /// −ln p of each row.
    pub rows: RowLikelihoods,
    /// Both estimates in JSON (nats a row, bits a dimension), with all that they depend on.
    pub json: Value,
}

/// −ln p of single rows in nats, in the data's own units.
#[derive(Debug)]
pub struct RowLikelihoods {
    /// −ln p by the change of variables.
    pub nll: Vec<f64>,
    /// Its standard error over the probes; `None` for an exact divergence.
    pub error: Option<Vec<f64>>,
    /// The variational bound on −ln p; `None` if there is none.
    pub bound: Option<Vec<f64>>,
    /// The standard error of the bound over the draws of noise; `None` for a single draw.
    pub bound_error: Option<Vec<f64>>,
}

/// Measures −ln p of `data` (normalised rows and conditions) under a trained model, in the data's
/// own units, given their conditions if there are any.
///
/// If noise is left at the end of the path, b > 0, the density is that of the data with noise, z/a
/// = data + (b/a)ε, with one ε a row. It is then also a bound for the data themselves, under the
/// model that draws z and from it N(z/a, (b/a)²I).
///
/// # Errors
/// If the model has no known density of the data: its source is not N(0, I), its targets are labels
/// or rows of a table that are not all plain numbers, or its encoder or decoder changes them; if
/// there is no row, or sequences differ in length; if the solver is stochastic or follows no ODE;
/// and if the model's output is not finite.
pub fn measure(model: &mut Trained, data: &Batch, options: &Options<'_>) -> Result<Measured> {
    if !model.model().source().is_standard_normal()? {
        let message = format!(
            "no likelihood: the density of the source `{}` is not known, only that of N(0, I)",
            model.experiment().source.name()
        );
        return Err(Error::config("source", message));
    }
    if data.is_empty() {
        return Err(Error::config("data", "there is no row to take the likelihood of"));
    }
    if data.mask.is_some() {
        let message =
            "no likelihood: the sequences differ in length, so that they have no common density";
        return Err(Error::config("data", message));
    }
    refuse_without_density(model, data)?;
    let sampling = &model.experiment().sampling;
    for (key, given) in [
        ("sampling.guidance", sampling.guidance != 1.0),
        ("sampling.steering", sampling.steering.is_some()),
        ("sampling.projection", sampling.projection.is_some()),
    ] {
        if given {
            log::warn!(
                "`{key}` has no effect on the likelihood, which is that of the model as trained"
            );
        }
    }
    let (solver, clock) = (options.solver.build(&())?, model.clock()?);
    if !follows_derivative(&*solver)? {
        let message = format!(
            "no likelihood along the solver `{}`: it goes from noise to data only",
            options.solver.name()
        );
        let others = solvers_where(follows_derivative);
        return Err(Error::config("sampling.solver", message)
            .help(format!("use one that follows the derivative of the ODE: {others}")));
    }
    let measured = model.sampling(|model, units| {
        tch::no_grad(|| {
            let target = &data.target;
            let condition = data.condition();
            // The model as it was trained, without guidance.
            let predictor =
                Conditioned { model, condition: condition.as_ref(), guidance: None, mask: None };
            let along = along_ode(&predictor, clock, target, &*solver, options)?;
            let bound = {
                let _stream = seed_torch(options.seed, Purpose::Report, 4);
                match model.gaussian().then(|| bound(&predictor, target, options.draws)) {
                    None => Err(COUPLED.to_owned()),
                    Some(Err(Error::Config(reason))) => Err(reason.message),
                    Some(bound) => Ok(bound?),
                }
            };
            Ok((along, bound, log_scale(units)))
        })
    });
    let (along, bound, log_scale) = measured.map_err(diverged)?;
    // For each row, −ln p of the data is −ln p of the normalised target plus the logarithm of
    // the volume of a normalised unit.
    let nats = log_scale - &along.density.log;
    let density = Estimate::of(&nats);
    let mut of_rows = RowLikelihoods {
        nll: numbers(&nats)?,
        error: along.density.error.as_ref().map(numbers).transpose()?,
        bound: None,
        bound_error: None,
    };
    let (bounded, bound_json) = match bound {
        Ok(bound) => {
            let nats = bound.total() + log_scale;
            let estimate = Estimate::of(&nats);
            of_rows.bound = Some(numbers(&nats)?);
            of_rows.bound_error = bound.error.as_ref().map(numbers).transpose()?;
            (
                Some(estimate),
                bound_json(&estimate, &bound, log_scale, along.dimensions, options.draws),
            )
        }
        Err(reason) => (None, json!({ "none": reason })),
    };
    let n = data.len();
    let json = json!({
        "n": n,
        "dimensions": along.dimensions,
        "of": if data.condition.is_some() { "target given condition" } else { "target" },
        "seed": options.seed,
        "change_of_variables": density_json(&density, &along, options, clock),
        "variational_bound": bound_json,
    });
    Ok(Measured { density, bound: bounded, rows: of_rows, json })
}

/// Numbers of a tensor `[n]`.
fn numbers(values: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::try_from(values.to_kind(Kind::Double).to_device(Device::Cpu).contiguous())?)
}

/// The reason why there is no bound if z_0 depends on the data.
const COUPLED: &str =
    "the bound needs noise that is independent of the data, but z_0 is coupled to them";

/// Adds advice to an error about a model that is not finite.
fn diverged(e: Error) -> Error {
    match e {
        Error::Runtime(message) if message.contains("not finite") => {
            Error::runtime(format!("{message}\n  {DIVERGED}"))
        }
        other => other,
    }
}

/// Checks that the model has a density of its targets.
fn refuse_without_density(model: &mut Trained, data: &Batch) -> Result<()> {
    if model.units().target_is_label || model.model().likelihood() == Likelihood::Categorical {
        return Err(Error::config(
            "",
            "no likelihood: the targets are labels, and the model's density is of real vectors",
        )
        .help("for labels `triflow evaluate` measures the accuracy"));
    }
    if model.units().target_layout().is_some() {
        let message = "no likelihood: rows with categories or missing cells have no density, and \
                       that of numbers which are scaled by their quantiles is not measured";
        return Err(Error::config("data", message)
            .help("the metrics of tables compare generated rows with real ones"));
    }
    let (encoder, decoder) = (model.experiment().encoder.name(), model.experiment().decoder.name());
    let (encodes, decodes) = model.sampling(|model, _| {
        tch::no_grad(|| {
            let target = &data.target;
            let same = |other: &Tensor| other.size() == target.size() && other.equal(target);
            let posterior = model.encode(target, Pass::EVAL)?;
            let encodes = posterior.log_variance.is_some() || !same(&posterior.mean);
            Ok((encodes, encodes || !same(&model.decode(target, Pass::EVAL)?)))
        })
    })?;
    let (key, name, does) = match (encodes, decodes) {
        (true, _) => ("encoder", encoder, "changes the targets"),
        (_, true) => ("decoder", decoder, "changes the latents"),
        _ => return Ok(()),
    };
    let message = format!(
        "no likelihood: the {key} `{name}` {does}, so that the density of latents is not that of \
         the data"
    );
    Err(Error::config(key, message)
        .help("it needs an encoder and a decoder that leave the target as it is"))
}

/// ln of the volume of a normalised unit of the target, in the data's own units.
fn log_scale(units: &Units) -> f64 {
    let deviation = units.target.scale().to_kind(Kind::Double);
    let all = deviation.log().expand(units.shapes.target.as_slice(), false);
    all.sum(Kind::Double).double_value(&[])
}

/// The density by the change of variables along the ODE, in normalised units.
struct Along {
    /// Density of z/a.
    density: Density,
    divergence: Divergence,
    dimensions: i64,
    /// b/a, the standard deviation of the noise on the data.
    noise: f64,
    /// Times of the ODE's start and end.
    times: (f64, f64),
}

fn along_ode(
    predictor: &Conditioned<'_>,
    clock: Clock,
    target: &Tensor,
    solver: &dyn Solver,
    options: &Options<'_>,
) -> Result<Along> {
    let field = ModelField::of(*predictor, clock);
    let grid = field.grid(options.steps)?;
    let end = predictor.model.path().at_clock(grid.end(), clock, target)?;
    let [a, b] = [&end.a, &end.b].map(|c| c.double_value(&[0]));
    let dimensions = target.numel() as i64 / target.size()[0];
    let divergence = Divergence::of(dimensions, options.probes);
    let _stream = seed_torch(options.seed, Purpose::Report, 3);
    let scaled = |c: &Tensor, x: &Tensor| rows(&c.to_kind(x.kind()), x) * x;
    let z = scaled(&end.a, target) + scaled(&end.b, &target.randn_like());
    let density = field.log_density(&z, solver, options.steps, divergence)?;
    let density = Density { log: density.log + dimensions as f64 * a.ln(), ..density };
    // Rounded, as bracketing finds the ends 0 and 1 only to within its tolerance.
    let time = |s: f64| Ok::<_, Error>((field.time(s)? * 1e9).round() / 1e9);
    let times = (time(grid.start())?, time(grid.end())?);
    Ok(Along { density, divergence, dimensions, noise: b / a, times })
}

fn density_json(estimate: &Estimate, along: &Along, options: &Options<'_>, clock: Clock) -> Value {
    let mut object = estimate.json(along.dimensions);
    object["of"] = json!(if along.noise == 0.0 { "data" } else { "data with noise, z/a" });
    object["noise_deviation"] = json!(along.noise);
    object["times"] = json!(along.times);
    object["solver"] = json!(options.solver);
    object["grid"] = json!(clock);
    object["nfe"] = json!(along.density.nfe);
    match along.divergence {
        Divergence::Exact => object["divergence"] = json!("exact"),
        Divergence::Hutchinson { probes } => {
            object["divergence"] = json!("hutchinson");
            object["probes"] = json!(probes);
            object["probes_error_nats"] = json!(along.density.error.as_ref().map(error_of_mean));
        }
    }
    object
}

fn bound_json(
    estimate: &Estimate,
    bound: &Bound,
    log_scale: f64,
    dimensions: i64,
    draws: u64,
) -> Value {
    let mean = |t: &Tensor| t.mean(Kind::Double).double_value(&[]);
    let mut object = estimate.json(dimensions);
    object["of"] = json!("data, decoded as N(z/a, noise_deviation²) at the end of the path");
    object["noise_deviation"] = json!((-0.5 * bound.gamma.1).exp());
    object["gamma"] = json!(bound.gamma);
    object["draws"] = json!(draws);
    object["draws_error_nats"] = json!(bound.error.as_ref().map(error_of_mean));
    object["terms_nats"] = json!({
        "prior": mean(&bound.prior),
        "diffusion": mean(&bound.diffusion),
        "decoder": bound.decoder,
        "units": log_scale,
    });
    object
}

/// Standard error of a mean over rows, from the standard errors of the rows.
fn error_of_mean(errors: &Tensor) -> f64 {
    errors.square().sum(Kind::Double).double_value(&[]).sqrt() / errors.size()[0] as f64
}
