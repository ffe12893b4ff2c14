//! Trained models as TorchScript archives, which any LibTorch evaluates without triflow: the
//! network alone, or the whole way from z_0 to data.
//!
//! The graph of a file is recorded while the model runs, by its own code and with LibTorch's plain
//! operations. A file is compared with the model before it leaves this module.

mod inputs;
mod record;

use self::inputs::{Given, Input, inputs_of, sampled, shape_of, type_of};
use self::record::{Variable, record};
use crate::component::{Pass, solvers_where};
use crate::error::{Error, Result};
use crate::path::Reading;
use crate::registry::guard_engine;
use crate::trained::Trained;
use serde_json::json;
use tch::{CModule, Kind, Tensor};

/// Function that a file computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The network's output for a state z, a time t and a condition.
    Network,
    /// Data for a z_0 and a condition, by all steps of the solver.
    Sampler,
}

/// Numbers of rows of the two batches that are recorded, which have no common factor.
const RECORDED: [i64; 2] = [3, 5];

/// Numbers of rows of the batches that a file is checked with.
const CHECKED: [i64; 2] = [4, 1];

impl Trained {
    /// The model as a TorchScript archive, with the parameters and options that it samples with,
    /// and the extra file `triflow.json` that describes inputs, output and model.
    ///
    /// # Errors
    /// [`Error::Config`]: the solver draws random numbers or chooses its steps, so that it is no
    /// function of z_0 of fixed steps; or a component computes what LibTorch cannot record.
    /// [`Error::Component`]: a component fails.
    pub fn export(&mut self, what: Exported) -> Result<Vec<u8>> {
        if what == Exported::Sampler {
            self.check_sampler()?;
        }
        let _threads = self.threads();
        // Values that are copied while a function is recorded would become part of it.
        let ema = self.ema.take();
        let used = ema.as_ref().filter(|_| self.experiment.sampling.use_ema);
        let own = used.map(|ema| {
            let own = self.parameters.flat.copy();
            tch::no_grad(|| self.parameters.flat.copy_(ema));
            own
        });
        let archive = guard_engine(|| self.recorded(what));
        if let Some(own) = own {
            tch::no_grad(|| self.parameters.flat.copy_(&own));
        }
        self.ema = ema;
        archive
    }

    fn recorded(&mut self, what: Exported) -> Result<Vec<u8>> {
        let inputs = inputs_of(self, what);
        let rows = |model: &Self, n: i64, draw: i64| -> Vec<Tensor> {
            inputs.iter().map(|input| input.example(model, n, draw)).collect()
        };
        let batches = [0, 1].map(|i| rows(self, RECORDED[i], i as i64));
        let about = self.about(what, &inputs, &batches[0])?;
        let variables = self.variables();
        let names: Vec<&str> = inputs.iter().map(|input| input.name).collect();
        let both = [batches[0].as_slice(), batches[1].as_slice()];
        let archive = record(&variables, &names, both, &about, &mut |values: &[Tensor]| {
            self.evaluate(what, &inputs, values)
        });
        let archive = archive.map_err(not_recorded)?;
        let module = CModule::load_data(&mut archive.as_slice()).map_err(Error::from)?;
        for (n, draw) in CHECKED.into_iter().zip(2..) {
            let values = rows(self, n, draw);
            let expected = self.evaluate(what, &inputs, &values)?;
            let found = tch::no_grad(|| module.forward_ts(&values))?;
            check(&found, &expected, self.tolerance())?;
        }
        Ok(archive)
    }

    /// All variables with the tensors that the model computes with.
    fn variables(&self) -> Vec<Variable> {
        let mut all: Vec<Variable> = self
            .model
            .vars
            .variables()
            .into_iter()
            .map(|(name, key)| Variable { name, value: key.shallow_clone(), key })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Evaluates what a file computes.
    fn evaluate(&mut self, what: Exported, inputs: &[Input], values: &[Tensor]) -> Result<Tensor> {
        let Given { state, time, condition, mask } = Given::of(self, inputs, values)?;
        let (condition, mask) = (condition.as_ref(), mask.as_ref());
        match time {
            None => {
                let plan = self.plan();
                let sampled = self.sample_sequences(&state, mask, condition, &plan, &mut ())?;
                self.present_sequences(&sampled.z, mask)
            }
            Some(t) => tch::no_grad(|| {
                let point = self.model.path().at(&t.to_kind(Kind::Double))?;
                let reading = Reading::new(self.model.objective(), &point)?;
                debug_assert_eq!(what, Exported::Network);
                self.model.output(&state, &reading, condition, Pass::EVAL.masked(mask))
            }),
        }
    }

    /// Checks that sampling is a function of z_0 with steps that do not depend on it.
    fn check_sampler(&self) -> Result<()> {
        let sampling = &self.experiment.sampling;
        let solver = sampling.build_solver()?;
        let name = sampling.solver.name();
        let why = if solver.stochastic()? {
            "draws random numbers on its way; a file gives the same data for the same z_0"
        } else if solver.adaptive()? {
            "chooses its steps by the values of the states; those of a file are fixed"
        } else if sampling.repeats > 1 {
            let message = "repeated steps draw random numbers; a file gives the same data for the \
                           same z_0";
            return Err(Error::config("sampling.repeats", message).help("set it to 1"));
        } else {
            return Ok(());
        };
        let fixed = solvers_where(|solver| Ok(!solver.stochastic()? && !solver.adaptive()?));
        Err(Error::config("sampling.solver", format!("`{name}` {why}"))
            .help(format!("use one of {fixed}")))
    }

    /// Largest deviation of a file from the model, as a share of the largest value.
    fn tolerance(&self) -> f64 {
        match (self.model.reduced().is_some(), self.model.vars.kind()) {
            (true, _) => 0.1,
            (false, Kind::Double) => 1e-9,
            (false, _) => 1e-3,
        }
    }

    /// The description of a file as JSON.
    fn about(&mut self, what: Exported, inputs: &[Input], values: &[Tensor]) -> Result<String> {
        let output = self.evaluate(what, inputs, values)?;
        let (name, meaning) = match what {
            Exported::Network => ("network", "prediction of the objective"),
            Exported::Sampler => ("sampler", sampled(self)),
        };
        let config: serde_json::Value = serde_json::from_str(&self.experiment.to_json()?)
            .map_err(|e| Error::runtime(e.to_string()))?;
        let mut about = json!({
            "triflow": env!("CARGO_PKG_VERSION"),
            "computes": name,
            "inputs": inputs.iter().map(Input::about).collect::<Vec<_>>(),
            "output": {
                "shape": shape_of(&output.size()[1..]),
                "type": type_of(output.kind()),
                "meaning": meaning,
            },
            "config": config,
        });
        for (key, names) in self.units.texts() {
            about[key] = json!(names);
        }
        Ok(about.to_string())
    }
}

/// Explains the failure of LibTorch's recorder.
fn not_recorded(e: Error) -> Error {
    let refused = |why: &str| {
        let message = "this model cannot be written as a graph of LibTorch's operations";
        Error::config("", format!("{message}: {why}"))
    };
    // LibTorch's error for the tensors of a backward pass, which its recorder does not see.
    if e.to_string().contains("Cannot insert a Tensor that requires grad") {
        return refused("its output is a derivative, and LibTorch does not record how it is taken")
            .help(
                "use a CRN and a steering that take no derivatives; or draw samples of this run by \
                 `triflow serve`, or in numpy by `triflow.reference` of the Python package",
            );
    }
    match e {
        Error::Runtime(text) => refused(&text),
        other => other,
    }
}

/// Checks that a file computes what the model does.
fn check(found: &Tensor, expected: &Tensor, tolerance: f64) -> Result<()> {
    let refuse = |how: String| {
        Err(Error::config(
            "",
            format!(
                "the file would compute something else than the model, {how}: a component computes what \
             LibTorch does not record"
            ),
        ))
    };
    if found.size() != expected.size() || found.kind() != expected.kind() {
        let of = |t: &Tensor| format!("{:?} {:?}", t.kind(), t.size());
        return refuse(format!("{} instead of {}", of(found), of(expected)));
    }
    let own = |t: &Tensor| t.to_kind(Kind::Double).nan_to_num(None, None, None);
    let off = (own(found) - own(expected)).abs().max().double_value(&[]);
    let size = own(expected).abs().max().double_value(&[]);
    if off <= tolerance * size.max(1e-3) {
        return Ok(());
    }
    refuse(format!("by {off:.1e} of {size:.1e}"))
}
