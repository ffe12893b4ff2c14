//! Solutions of (H + δ·I) u = g row by row, where g is the gradient of a convex function and H its
//! Hessian.

use crate::layers::flatten;
use triflow::prelude::*;

/// Largest number of entries of a row for which the Hessian is computed.
const DENSE: i64 = 64;
/// Number of iterations of conjugate gradients between two checks of convergence on a GPU. A check
/// waits for the device. A fixed number of iterations would need none, but the number needed
/// depends on the Hessian, and 2 d of them, each a second derivative, would cost far more. On the
/// CPU nothing waits, and every iteration is checked.
const CHECK_INTERVAL: i64 = 4;

/// The solution u for `slope`, the gradient of a convex function at `z` that can be differentiated
/// again. All three are `[batch, …]`.
///
/// # Errors
/// The Hessian plus δ is not positive definite, or conjugate gradients do not converge.
pub fn solve(z: &Variable, slope: &Tensor, delta: f64) -> Result<Tensor> {
    let d = slope.numel() as i64 / slope.size()[0].max(1);
    if d <= DENSE {
        cholesky(z, slope, delta)
    } else {
        let interval = if slope.device().is_cuda() { CHECK_INTERVAL } else { 1 };
        conjugate_gradients(z, slope, delta, interval)
    }
}

/// Solution from the matrix itself: d derivatives and Cholesky's decomposition, which waits for the
/// device once, to find out whether the matrix is positive definite.
fn cholesky(z: &Variable, slope: &Tensor, delta: f64) -> Result<Tensor> {
    let flat = flatten(slope);
    let d = flat.size()[1];
    let row = |i| Ok(flatten(&z.gradient(&flat.select(1, i), false)?));
    let hessian = Tensor::stack(&(0..d).map(row).collect::<Result<Vec<_>>>()?, 1);
    let hessian = (&hessian + hessian.transpose(1, 2)) * 0.5;
    let matrix = hessian + Tensor::eye(d, (flat.kind(), flat.device())) * delta;
    let factor = matrix.f_linalg_cholesky(false).map_err(|_| {
        Error::runtime(
            "the Hessian of the potential plus δ is not positive definite: it is not finite, or too large \
             for δ in this precision; a larger `crn.delta`, a smaller learning rate or \
             `training.precision: float64` help",
        )
    })?;
    Ok(flat.unsqueeze(2).cholesky_solve(&factor, false).view_as(slope))
}

/// Solution from Hessian-vector products alone. Convergence is checked every `interval` iterations
/// and at the end; iterations after all rows have converged change nothing.
fn conjugate_gradients(z: &Variable, slope: &Tensor, delta: f64, interval: i64) -> Result<Tensor> {
    // H·w as a function of w alone. Its derivative along v is H·v even where v depends on z, as the
    // directions below do; the derivative of ∇V·v with respect to z would include that dependence.
    let w = slope.detach().zeros_like().set_requires_grad(true);
    let along_w = z.gradient(&(slope * &w), true)?;
    let times = |v: &Tensor| -> Result<Tensor> {
        Ok(gradient(&(&along_w * v), &w, z.is_recorded())? + v * delta)
    };
    let dot = |a: &Tensor, b: &Tensor| {
        let products = flatten(&(a * b));
        products.sum_dim_intlist([1].as_slice(), false, products.kind())
    };
    let single = slope.kind() == triflow::tch::Kind::Float;
    let tolerance = if single { 1e-6 } else { 1e-12 };
    let d = flatten(slope).size()[1];

    let mut u = slope.zeros_like();
    let (mut residual, mut direction) = (slope.shallow_clone(), slope.shallow_clone());
    let mut squared = dot(&residual, &residual);
    let goal = squared.detach() * (tolerance * tolerance);
    // Rows for which the matrix is not positive along a direction, found before they converged.
    let mut concave = Tensor::zeros_like(&squared).to_kind(triflow::tch::Kind::Bool);
    let refused = || Error::runtime("the Hessian of the potential plus δ is not positive definite");
    for i in 0..2 * d {
        // A row that has converged is kept as it is: its residual of 0 would be divided by. A row
        // of NaN never converges.
        let open = squared.detach().le_tensor(&goal).logical_not();
        if i % interval == 0 {
            let [open, concave] = any([&open, &concave])?;
            if concave {
                return Err(refused());
            }
            if !open {
                return Ok(u);
            }
        }
        let ahead = times(&direction)?;
        let ratio = |above: &Tensor, below: &Tensor| {
            let below = below.where_self(&open, &below.ones_like());
            (above / below).where_self(&open, &above.zeros_like())
        };
        let curvature = dot(&direction, &ahead);
        concave = concave.logical_or(&curvature.detach().le(0.0).logical_and(&open));
        let length = rows(&ratio(&squared, &curvature), slope);
        // Not in place: autograd needs the old values.
        u = &length * &direction + u;
        residual = (length * ahead).neg() + residual;
        let next = dot(&residual, &residual);
        direction = &residual + rows(&ratio(&next, &squared), slope) * direction;
        squared = next;
    }
    // The last digits of the residual are rounding errors in float32: 1e4 times the goal suffices.
    let near = squared.detach().le_tensor(&(goal * 1e4));
    let [far, concave] = any([&near.logical_not(), &concave])?;
    if concave {
        return Err(refused());
    }
    if far {
        return Err(Error::runtime(format!(
            "conjugate gradients have not solved for the natural gradient in {} steps: the Hessian of the \
             potential is too unlike δ; a larger `crn.delta` helps",
            2 * d
        )));
    }
    Ok(u)
}

/// `true` for each tensor with an entry that is set; waits for the device once.
fn any<const N: usize>(of: [&Tensor; N]) -> Result<[bool; N]> {
    let found = Tensor::stack(&of.map(|t| t.any()), 0).to_device(triflow::tch::Device::Cpu);
    let found: Vec<bool> = Vec::try_from(found)?;
    Ok(std::array::from_fn(|i| found[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use triflow::tch::{Device, Kind, no_grad};

    fn gradients<const INTERVAL: i64>(z: &Variable, slope: &Tensor, delta: f64) -> Result<Tensor> {
        conjugate_gradients(z, slope, delta, INTERVAL)
    }

    /// The solution by the function `by` at z for V = ln Σ exp(A z) + |z|²/20.
    fn solution(
        z: &Tensor,
        a: &Tensor,
        by: fn(&Variable, &Tensor, f64) -> Result<Tensor>,
    ) -> Tensor {
        differentiate(z, |z| {
            let v = z.value().matmul(&a.tr()).logsumexp([1].as_slice(), false)
                + z.value().square().sum_dim_intlist([1].as_slice(), false, Kind::Double) * 0.05;
            by(z, &z.gradient(&v, true)?, 0.01)
        })
        .unwrap()
    }

    #[test]
    fn both_ways_give_one_solution_and_the_same_gradients() {
        let _stream = triflow::rng::seed_torch(3, triflow::rng::Purpose::Data, 0);
        let random = |shape: [i64; 2]| Tensor::randn(shape, (Kind::Double, Device::Cpu));
        let (z, a, way) = (random([5, 6]), random([9, 6]), random([5, 6]));
        let close = |one: &Tensor, other: &Tensor| {
            let off = ((one - other).abs().max() / other.abs().max()).double_value(&[]);
            assert!(off < 1e-9, "off by {off}");
        };
        let run = |by| {
            let (z, a) = (z.copy().set_requires_grad(true), a.copy().set_requires_grad(true));
            let u = solution(&z, &a, by);
            let loss = &u * &way;
            (u.detach(), gradient(&loss, &z, false).unwrap(), gradient(&loss, &a, false).unwrap())
        };
        let (one, other) = (run(cholesky), run(gradients::<1>));
        close(&one.0, &other.0);
        close(&one.1, &other.1);
        close(&one.2, &other.2);
        close(&no_grad(|| solution(&z, &a, gradients::<1>)), &one.0);
        // Fewer checks change no bit.
        for by in [gradients::<2>, gradients::<5>, gradients::<100>] {
            let rare = run(by);
            assert!(rare.0.equal(&other.0) && rare.1.equal(&other.1) && rare.2.equal(&other.2));
        }
    }

    /// The solution for H = 1 and δ = 1 is exact after one iteration: what follows divides 0 by 0.
    #[test]
    fn iterations_after_all_rows_have_converged_change_nothing() {
        let z = Tensor::arange(6, (Kind::Double, Device::Cpu)).view([2, 3]);
        for by in [gradients::<1>, gradients::<2>, gradients::<100>] {
            let u =
                differentiate(&z, |z| by(z, &z.gradient(&(z.value().square() * 0.5), true)?, 1.0));
            assert_eq!(u.unwrap(), &z * 0.5);
        }
    }

    #[test]
    fn what_cannot_be_solved_is_an_error() {
        let z = Tensor::ones([2, 3], (Kind::Double, Device::Cpu));
        for by in [cholesky, gradients::<1>, gradients::<4>, gradients::<100>] {
            let concave =
                differentiate(&z, |z| by(z, &z.gradient(&z.value().square().neg(), true)?, 2.0));
            let told = concave.err().unwrap().to_string();
            assert!(told.contains("δ is not positive definite"), "{told}");
        }
    }
}
