//! Density of the samples of the probability-flow ODE, by the instantaneous change of variables: ln
//! p(z) = ln N(z_0; 0, I) − ∫ div f ds along the trajectory from z_0 to z (Chen et al. 2018,
//! Grathwohl et al. 2019, Song et al. 2021).

use crate::component::{Field, Solver};
use crate::error::{Error, Result};
use crate::path::{Reading, rows};
use crate::sample::{Predictor, PredictorField};
use std::f64::consts::PI;
use tch::{Kind, Tensor};

/// Largest dimension for which [`Divergence::of`] computes the divergence exactly.
pub const EXACT_DIMENSIONS: i64 = 32;

/// Method by which the divergence of the field is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The trace of the Jacobian, from one vector-Jacobian product for each dimension.
    Exact,
    /// Hutchinson's unbiased estimate: the mean of q·Jq over `probes` vectors q of random signs,
    /// which stay the same along a trajectory. It takes one vector-Jacobian product for each.
    Hutchinson {
        /// Number of vectors, at least 1; a standard error needs 2.
        probes: i64,
    },
}

impl Divergence {
    /// Exact up to [`EXACT_DIMENSIONS`] dimensions, and Hutchinson's estimate with `probes` beyond.
    pub fn of(dimensions: i64, probes: i64) -> Self {
        if dimensions <= EXACT_DIMENSIONS { Self::Exact } else { Self::Hutchinson { probes } }
    }
}

/// Log-densities of a set of states.
#[derive(Debug)]
pub struct Density {
    /// ln p in nats, `[n]`, float64.
    pub log: Tensor,
    /// Standard error of `log` over the probes, `[n]`; `None` for an exact divergence or a single
    /// probe.
    pub error: Option<Tensor>,
    /// Evaluations of the prediction a state (NFE), each with the vector-Jacobian products of its
    /// divergence.
    pub nfe: usize,
}

impl<P: Predictor> PredictorField<P> {
    /// Computes the log-density of `z` `[n, …z_shape]` at the end of the [grid](Self::grid) of
    /// `steps` steps, for z_0 ~ N(0, I) times the path's scale at its start: the density of
    /// states that an exact solver
    /// would reach. The prediction is evaluated in the precision of `z`, and the integral is in
    /// float64. The signs of probes come from LibTorch's generator: seed a
    /// [stream](crate::rng::seed_torch) first.
    ///
    /// An adaptive solver chooses its steps for all rows together, and for the state and the
    /// integral alike.
    ///
    /// # Errors
    /// [`Error::Config`]: `probes` is below 1, or the solver needs more than the derivative.
    /// [`Error::Runtime`]: the prediction is no differentiable function of the state, or the result
    /// is not finite. Those of [`grid`](Self::grid), the predictor and the solver.
    pub fn log_density(
        &self,
        z: &Tensor,
        solver: &dyn Solver,
        steps: usize,
        divergence: Divergence,
    ) -> Result<Density> {
        tch::no_grad(|| {
            let flat = z.flatten(1, -1);
            let (n, dimensions) = flat.size2()?;
            let probes = match divergence {
                Divergence::Exact => None,
                Divergence::Hutchinson { probes } if probes < 1 => {
                    return Err(Error::config("probes", "needs at least 1"));
                }
                Divergence::Hutchinson { probes } => {
                    let options = (z.kind(), z.device());
                    Some(Tensor::randint(2, [probes, n, dimensions], options) * 2.0 - 1.0)
                }
            };
            let columns = probes.as_ref().map_or(1, |q| q.size()[0]);
            let flow = Backward { field: self, like: z, dimensions, probes };
            let integral = Tensor::zeros([n, columns], (Kind::Double, z.device()));
            let start = Tensor::cat(&[flat.to_kind(Kind::Double), integral], 1);
            let end = solver.integrate(&flow, &start, &self.backward(steps)?, &mut ())?;
            let z0 = end.z.narrow(1, 0, dimensions);
            let integrals = end.z.narrow(1, dimensions, columns);
            let scale = self.predictor.path().start_scale()?;
            let log = normal(&z0, scale) - integrals.mean_dim(1, false, Kind::Double);
            if log.isfinite().all().int64_value(&[]) == 0 {
                return Err(Error::runtime("a log-density is not finite"));
            }
            let error =
                (columns > 1).then(|| integrals.std_dim(1, true, false) / (columns as f64).sqrt());
            Ok(Density { log, error, nfe: end.nfe })
        })
    }
}

/// ln N(z; 0, scale²·I) of rows `[n, d]`.
fn normal(z: &Tensor, scale: f64) -> Tensor {
    let d = z.size()[1] as f64;
    let squares = (z / scale).square().sum_dim_intlist(1, false, Kind::Double);
    squares * -0.5 - d * (0.5 * (2.0 * PI).ln() + scale.ln())
}

/// The field from data to noise, for the state beside the integral of the divergence (one for each
/// probe), `[n, d + k]`. Its clock is the negative of the path's, because solvers go forward.
struct Backward<'a, P> {
    field: &'a PredictorField<P>,
    /// A state of the prediction's shape and precision.
    like: &'a Tensor,
    dimensions: i64,
    /// Probes `[k, n, d]`; `None` for an exact divergence.
    probes: Option<Tensor>,
}

impl<P: Predictor> Backward<'_, P> {
    /// The output at `z` `[n, …z_shape]` and its divergence `[n, k]`.
    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<(Tensor, Tensor)> {
        let leaf = z.detach().set_requires_grad(true);
        let (output, flat) = tch::with_grad(|| -> Result<_> {
            let output = self.field.predictor.output(&leaf, reading)?;
            let flat = output.flatten(1, -1);
            Ok((output, flat))
        })?;
        let gradient = |values: &Tensor| -> Result<Tensor> {
            let sum = tch::with_grad(|| values.sum(values.kind()));
            let gradient = if sum.requires_grad() {
                Tensor::f_run_backward(&[sum], &[&leaf], true, false)?.pop()
            } else {
                None
            };
            let gradient = gradient.filter(Tensor::defined).ok_or_else(|| {
                Error::runtime(
                    "the prediction is no differentiable function of the state: \
                     its divergence is unknown",
                )
            })?;
            Ok(gradient.flatten(1, -1))
        };
        let divergence = match &self.probes {
            None => {
                let mut trace = Tensor::zeros([z.size()[0]], (Kind::Double, z.device()));
                for i in 0..self.dimensions {
                    let entry = tch::with_grad(|| flat.select(1, i));
                    trace += gradient(&entry)?.select(1, i);
                }
                trace.unsqueeze(1)
            }
            Some(probes) => {
                let estimate = |k| {
                    let q = probes.get(k);
                    let product = gradient(&tch::with_grad(|| &flat * &q))? * q;
                    Ok(product.sum_dim_intlist(1, false, Kind::Double))
                };
                let all = (0..probes.size()[0]).map(estimate).collect::<Result<Vec<_>>>()?;
                Tensor::stack(&all, 1)
            }
        };
        Ok((output.detach(), divergence))
    }
}

impl<P: Predictor> Field for Backward<'_, P> {
    fn derivative(&self, state: &Tensor, s: f64) -> Result<Tensor> {
        let s = -s;
        let z = state.narrow(1, 0, self.dimensions);
        let shaped = z.to_kind(self.like.kind()).reshape(self.like.size());
        let point = self.field.point(&shaped, s)?;
        let reading = Reading::new(self.field.predictor.objective(), &point)?;
        let (output, of_output) = self.output(&shaped, &reading)?;
        // f = p·z + q·output, so div f = p·d + q·div output.
        let (p, q) = reading.derivative_coefficients(self.field.clock())?;
        let f = rows(&p, &z) * &z + rows(&q, &z) * output.flatten(1, -1).to_kind(Kind::Double);
        let divergence = rows(&q, &z) * of_output + rows(&p, &z) * self.dimensions as f64;
        Ok(Tensor::cat(&[f.neg(), divergence], 1))
    }

    fn data(&self, _: &Tensor, _: f64) -> Result<Tensor> {
        Err(Error::config(
            "sampling.solver",
            "a likelihood integrates the divergence beside the state, \
             for which only the derivative has a meaning",
        )
        .help("use a solver that needs only the derivative"))
    }
}
