//! Dormand and Prince's embedded pair of orders 5 and 4, with its own steps.

use triflow::prelude::*;
use triflow::tch::Kind;

triflow::component! {
    /// Dormand and Prince's embedded pair of orders 5 and 4: chooses its own steps to meet a tolerance.
    ///
    /// Order 5, six evaluations a step. The error is the root mean square over all entries of the batch, so
    /// the rows of a batch share their steps. `sampling.steps` is not used.
    #[reference = "Dormand and Prince 1980; Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I"]
    #[aliases("adaptive")]
    pub struct Dopri5: Solver, SolverSpec = "dopri5" {
        /// Relative tolerance, above 0.
        pub rtol: f64 = 1e-5,
        /// Absolute tolerance, above 0.
        pub atol: f64 = 1e-6,
        /// First step, as a share of the whole interval, above 0.
        pub first_step: f64 = 0.05,
        /// Most steps, accepted and rejected; more are an error.
        pub max_steps: usize = 10_000,
    }
}

impl Spec<dyn Solver> for Dopri5 {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        let positive = [("rtol", self.rtol), ("atol", self.atol), ("first_step", self.first_step)];
        match positive.iter().find(|(_, v)| v.is_nan() || *v <= 0.0) {
            Some((key, v)) => Err(Error::config(*key, format!("needs a number above 0, got {v}"))),
            None => Ok(Box::new(self.clone())),
        }
    }
}

const C: [f64; 7] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const A: [&[f64]; 7] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Weights of order 5 less those of order 4.
const E: [f64; 7] = [
    35.0 / 384.0 - 5179.0 / 57600.0,
    0.0,
    500.0 / 1113.0 - 7571.0 / 16695.0,
    125.0 / 192.0 - 393.0 / 640.0,
    -2187.0 / 6784.0 + 92097.0 / 339_200.0,
    11.0 / 84.0 - 187.0 / 2100.0,
    -1.0 / 40.0,
];

/// One attempted step.
struct Attempt {
    z: Tensor,
    last: Tensor,
    error: Tensor,
}

fn attempt(field: &dyn Field, z: &Tensor, k1: &Tensor, s: f64, h: f64) -> Result<Attempt> {
    let mut k = vec![k1.shallow_clone()];
    let mut next = z.shallow_clone();
    for stage in 1..7 {
        next = z + combine(&k, A[stage]) * h;
        k.push(field.derivative(&next, s + C[stage] * h)?);
    }
    let error = combine(&k, &E) * h;
    let last = k.swap_remove(6);
    Ok(Attempt { z: next, last, error })
}

/// Σ weights_i·k_i.
fn combine(k: &[Tensor], weights: &[f64]) -> Tensor {
    let mut sum = &k[0] * weights[0];
    for (k, w) in k.iter().zip(weights).skip(1).filter(|(_, w)| **w != 0.0) {
        sum += k * *w;
    }
    sum
}

impl Solver for Dopri5 {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let (mut s, end) = (grid.start(), grid.end());
        let mut h = (end - s) * self.first_step;
        let mut z = z0.shallow_clone();
        let mut k1 = field.derivative(&z, s)?;
        let (mut nfe, mut rejected, mut accepted) = (1, 0, 0);
        let (mut previous, mut after_rejection) = (1.0_f64, false);
        seen.see(s, &z)?;
        while s < end {
            if accepted + rejected >= self.max_steps {
                return Err(Error::runtime(format!(
                    "no end after {} steps (reached {s:.6} of {end:.6}); the field may be stiff: raise rtol, atol or max_steps",
                    self.max_steps
                )));
            }
            let last = s + h >= end;
            let step = if last { end - s } else { h };
            let try_ = attempt(field, &z, &k1, s, step)?;
            nfe += 6;
            let scale = z.abs().maximum(&try_.z.abs()) * self.rtol + self.atol;
            let error = (try_.error / scale).square().mean(Kind::Double).sqrt().double_value(&[]);
            if !error.is_finite() {
                return Err(Error::runtime(format!("the field is not finite near {s:.6}")));
            }
            if error <= 1.0 {
                let mut factor =
                    (0.9 * error.max(1e-12).powf(-0.7 / 5.0) * previous.powf(0.4 / 5.0))
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
                h = step * (0.9 * error.powf(-0.2)).max(0.2);
                after_rejection = true;
                rejected += 1;
            }
        }
        Ok(Solution { z, nfe, rejected })
    }

    fn order(&self) -> Result<usize> {
        Ok(5)
    }
}
