//! Embedded Runge-Kutta pairs with steps that meet a tolerance.

use triflow::prelude::*;
use triflow::tch::Kind;

/// The coefficients of a pair whose last stage is the first of the next step.
#[derive(Debug)]
pub struct Pair {
    /// Order of the solution.
    pub order: usize,
    /// Where in the step each stage looks.
    pub c: &'static [f64],
    /// The weights that lead to each stage; those of the last are the solution's.
    pub a: &'static [&'static [f64]],
    /// Weights of the solution less those of the embedded one.
    pub e: &'static [f64],
}

/// What the error of a step is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    triflow::serde::Serialize,
    triflow::serde::Deserialize,
    triflow::schemars::JsonSchema,
)]
#[serde(crate = "triflow::serde", rename_all = "snake_case")]
#[schemars(crate = "triflow::schemars")]
pub enum ErrorNorm {
    /// The root mean square over all entries of the batch.
    Batch,
    /// The largest root mean square of a row: no sample pays for the others, at more steps.
    WorstRow,
}

impl ErrorNorm {
    fn of(self, scaled: &Tensor) -> f64 {
        let squares = scaled.square();
        let mean = match self {
            ErrorNorm::Batch => squares.mean(Kind::Double),
            ErrorNorm::WorstRow => {
                let rows = squares.reshape([squares.size()[0], -1]);
                rows.mean_dim([1].as_slice(), false, Kind::Double).max()
            }
        };
        mean.sqrt().double_value(&[])
    }
}

/// How steps are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Relative tolerance, above 0.
    pub rtol: f64,
    /// Absolute tolerance, above 0.
    pub atol: f64,
    /// First step, as a share of the whole interval, above 0.
    pub first_step: f64,
    /// Most steps, accepted and rejected.
    pub max_steps: usize,
    /// What is held against the tolerance.
    pub error: ErrorNorm,
}

impl Control {
    /// An error unless tolerances and first step are above 0.
    pub fn check(&self) -> Result<()> {
        let positive = [("rtol", self.rtol), ("atol", self.atol), ("first_step", self.first_step)];
        match positive.iter().find(|(_, v)| v.is_nan() || *v <= 0.0) {
            Some((key, v)) => Err(Error::config(*key, format!("needs a number above 0, got {v}"))),
            None => Ok(()),
        }
    }
}

/// A pair under control.
#[derive(Debug)]
pub struct Adaptive {
    /// The pair.
    pub pair: &'static Pair,
    /// Its steps.
    pub control: Control,
}

/// One attempted step.
struct Attempt {
    z: Tensor,
    last: Tensor,
    error: Tensor,
}

impl Pair {
    fn attempt(
        &self,
        field: &dyn Field,
        z: &Tensor,
        k1: &Tensor,
        s: f64,
        h: f64,
    ) -> Result<Attempt> {
        let mut k = vec![k1.shallow_clone()];
        let mut next = z.shallow_clone();
        for (a, c) in self.a.iter().zip(self.c).skip(1) {
            next = z + combine(&k, a) * h;
            k.push(field.derivative(&next, s + c * h)?);
        }
        let error = combine(&k, self.e) * h;
        let last = k.swap_remove(self.c.len() - 1);
        Ok(Attempt { z: next, last, error })
    }
}

/// Σ weights_i·k_i.
fn combine(k: &[Tensor], weights: &[f64]) -> Tensor {
    let mut sum = &k[0] * weights[0];
    for (k, w) in k.iter().zip(weights).skip(1).filter(|(_, w)| **w != 0.0) {
        sum += k * *w;
    }
    sum
}

impl Solver for Adaptive {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let Self { pair, control } = self;
        let power = 1.0 / pair.order as f64;
        let (mut s, end) = (grid.start(), grid.end());
        let mut h = (end - s) * control.first_step;
        let mut z = z0.shallow_clone();
        let mut k1 = field.derivative(&z, s)?;
        let (mut nfe, mut rejected, mut accepted) = (1, 0, 0);
        let (mut previous, mut after_rejection) = (1.0_f64, false);
        seen.see(s, &z)?;
        while s < end {
            if accepted + rejected >= control.max_steps {
                return Err(Error::runtime(format!(
                    "no end after {} steps (reached {s:.6} of {end:.6}); the field may be stiff: raise rtol, atol or max_steps",
                    control.max_steps
                )));
            }
            let last = s + h >= end;
            let step = if last { end - s } else { h };
            let try_ = pair.attempt(field, &z, &k1, s, step)?;
            nfe += pair.c.len() - 1;
            let scale = z.abs().maximum(&try_.z.abs()) * control.rtol + control.atol;
            let error = control.error.of(&(try_.error / scale));
            if !error.is_finite() {
                return Err(Error::runtime(format!("the field is not finite near {s:.6}")));
            }
            if error <= 1.0 {
                let mut factor =
                    (0.9 * error.max(1e-12).powf(-0.7 * power) * previous.powf(0.4 * power))
                        .clamp(0.2, 10.0);
                if after_rejection {
                    factor = factor.min(1.0);
                }
                s = if last { end } else { s + step };
                z = try_.z;
                k1 = try_.last;
                previous = error.max(1e-4);
                after_rejection = false;
                accepted += 1;
                seen.see(s, &z)?;
                h = step * factor;
            } else {
                h = step * (0.9 * error.powf(-power)).max(0.2);
                after_rejection = true;
                rejected += 1;
            }
        }
        Ok(Solution { z, nfe, rejected })
    }

    fn order(&self) -> Result<usize> {
        Ok(self.pair.order)
    }

    fn adaptive(&self) -> Result<bool> {
        Ok(true)
    }
}
