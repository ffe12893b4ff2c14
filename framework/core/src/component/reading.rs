use super::{Objective, PathPoint, Weight};
use crate::error::Result;
use crate::kernels::blend;
use crate::point::Clock;
use std::cell::OnceCell;
use tch::Tensor;

/// Meaning of a network's output at one point of the path: output = p·data + q·noise, solved
/// together with z = a·data + b·noise for data, noise and velocity.
#[derive(Debug)]
pub struct Reading<'p> {
    point: &'p PathPoint<'p>,
    p: Tensor,
    q: Tensor,
    /// D = a·q − b·p, computed at the first use.
    determinant: OnceCell<Tensor>,
}

impl<'p> Reading<'p> {
    /// The meaning of `objective`'s output at `point`.
    ///
    /// # Errors
    /// Errors of the objective.
    pub fn new(objective: &dyn Objective, point: &'p PathPoint<'p>) -> Result<Self> {
        let (p, q) = objective.mix(point)?;
        Ok(Self { point, p, q, determinant: OnceCell::new() })
    }

    /// The point of the path.
    pub fn point(&self) -> &'p PathPoint<'p> {
        self.point
    }

    /// D = a·q − b·p, `[batch]`. An error of the output reaches the data as |∂data/∂output| =
    /// |b/D|.
    pub fn determinant(&self) -> &Tensor {
        self.determinant.get_or_init(|| &self.point.a * &self.q - &self.point.b * &self.p)
    }

    /// Regression target of the network: p·data + q·noise, `[batch, …z_shape]`.
    pub fn target(&self, data: &Tensor, noise: &Tensor) -> Tensor {
        blend(&self.p, data, &self.q, noise)
    }

    /// Data h = (q·z − b·output) / D, `[batch, …z_shape]`.
    pub fn data(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.q / self.determinant()), z) * z
            - rows(&(&self.point.b / self.determinant()), z) * output
    }

    /// Noise e = (a·output − p·z) / D, `[batch, …z_shape]`.
    pub fn noise(&self, z: &Tensor, output: &Tensor) -> Tensor {
        rows(&(&self.point.a / self.determinant()), z) * output
            - rows(&(&self.p / self.determinant()), z) * z
    }

    /// dz/ds along the probability-flow ODE in the given clock, as the coefficients of z and of the
    /// output, `[batch]` each.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn derivative_coefficients(&self, clock: Clock) -> Result<(Tensor, Tensor)> {
        let (a_rate, b_rate) = self.point.rates(clock)?;
        let of_z = (&a_rate * &self.q - &b_rate * &self.p) / self.determinant();
        let of_output = (&b_rate * &self.point.a - &a_rate * &self.point.b) / self.determinant();
        Ok((of_z, of_output))
    }

    /// dz/ds along the probability-flow ODE in the given clock, `[batch, …z_shape]`.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn derivative(&self, z: &Tensor, output: &Tensor, clock: Clock) -> Result<Tensor> {
        let (of_z, of_output) = self.derivative_coefficients(clock)?;
        Ok(blend(&of_z, z, &of_output, output))
    }

    /// Weight of the output's squared error, `[batch]`, with which it counts as much as the error
    /// that `weight` is of; `None` for 1.
    ///
    /// # Errors
    /// Errors of the path.
    pub fn weight_of_output(&self, weight: &Weight) -> Result<Option<Tensor>> {
        let point = self.point;
        let error = |factor: &Tensor| (factor / self.determinant()).square();
        Ok(match weight {
            Weight::One => None,
            Weight::Output(weight) => Some(weight.shallow_clone()),
            Weight::Data(weight) => Some(weight * error(&point.b)),
            Weight::Noise(weight) => Some(weight * error(&point.a)),
            Weight::Velocity(weight) => {
                let (a_rate, b_rate) = point.rates(Clock::Time)?;
                Some(weight * error(&(b_rate * &point.a - a_rate * &point.b)))
            }
        })
    }

    /// Score ∇ log p_t(z) = −noise / b, `[batch, …z_shape]`.
    pub fn score(&self, z: &Tensor, output: &Tensor) -> Tensor {
        self.noise(z, output) / rows(&self.point.b.neg(), z)
    }
}

/// Reshapes `[batch]` (or `[]`) to `[batch, 1, …]`, so that it multiplies the rows of `like`.
pub fn rows(scalar: &Tensor, like: &Tensor) -> Tensor {
    let mut shape = vec![1; like.dim()];
    if scalar.dim() == 1 {
        shape[0] = scalar.size()[0];
    }
    scalar.view(shape.as_slice())
}
