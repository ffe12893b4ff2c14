//! Solves (H + δ·I) u = g row by row, where g is the gradient of a convex function and H its Hessian.

use crate::layers::flatten;
use triflow::prelude::*;

/// Up to so many entries a row the Hessian is made.
const DENSE: i64 = 64;

/// u for the gradient `slope` of a convex function at `z`; `slope` can be differentiated again. Both, and u,
/// `[batch, …]`.
pub fn solve(z: &Variable, slope: &Tensor, delta: f64) -> Result<Tensor> {
    let d = slope.numel() as i64 / slope.size()[0].max(1);
    if d <= DENSE { cholesky(z, slope, delta) } else { conjugate_gradients(z, slope, delta) }
}

/// By the matrix itself: d derivatives, and Cholesky's decomposition.
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

/// By Hessian-vector products alone.
fn conjugate_gradients(z: &Variable, slope: &Tensor, delta: f64) -> Result<Tensor> {
    // H·w as a function of w alone. Its derivative along v is H·v, and stays right where v depends on z, as the
    // directions below do; the derivative of ∇V·v with respect to z would count that dependence too.
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
    for _ in 0..2 * d {
        // A row that has arrived stands still: there is nothing left to divide by.
        let open = squared.detach().gt_tensor(&goal);
        if open.any().int64_value(&[]) == 0 {
            return Ok(u);
        }
        let ahead = times(&direction)?;
        let ratio = |above: &Tensor, below: &Tensor| {
            let below = below.where_self(&open, &below.ones_like());
            (above / below).where_self(&open, &above.zeros_like())
        };
        let length = rows(&ratio(&squared, &dot(&direction, &ahead)), slope);
        u = u + &length * &direction;
        residual = residual - length * ahead;
        let next = dot(&residual, &residual);
        direction = &residual + rows(&ratio(&next, &squared), slope) * direction;
        squared = next;
    }
    // In float32 the last digits of the residual are noise.
    let left = squared.detach().gt_tensor(&(goal * 1e4)).any().int64_value(&[]) == 1;
    if left || squared.isfinite().all().int64_value(&[]) == 0 {
        return Err(Error::runtime(format!(
            "conjugate gradients have not solved for the natural gradient in {} steps: the Hessian of the \
             potential is too unlike δ; a larger `crn.delta` helps",
            2 * d
        )));
    }
    Ok(u)
}
