use super::control::StepControl;
use super::solver::Solver;
use super::stepper::{Step, Stepped, Stepper};
use crate::error::{Error, Result};
use tch::Tensor;

/// The Butcher tableau of an explicit Runge-Kutta method, or of an embedded pair of two.
///
/// Stage i is k_i = f(s + c_i·h, z + h·Σ_j a_ij·k_j); the step ends at z + h·Σ_i b_i·k_i. Where the
/// last stage is at the end of the step, it is used as the first stage of the next step ("first
/// same as last").
///
/// ```
/// # extern crate triflow_core as triflow;
/// use triflow::prelude::*;
///
/// const HEUN_EULER: Tableau = Tableau {
///     order: 2,
///     c: &[0.0, 1.0],
///     a: &[&[], &[1.0]],
///     b: &[0.5, 0.5],
///     embedded: Some(&[1.0, 0.0]),
/// };
/// let solver: Box<dyn Solver> = HEUN_EULER.fixed()?;
/// # Ok::<(), triflow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tableau {
    /// Order of convergence on smooth fields.
    pub order: usize,
    /// Nodes: the position of each stage in the step, as a share of its length.
    pub c: &'static [f64],
    /// Weights of the earlier stages in the state of each stage: i weights for stage i, none for
    /// the first.
    pub a: &'static [&'static [f64]],
    /// Weights of the stages in the final state.
    pub b: &'static [f64],
    /// Weights of the embedded method, of one order less; its distance from the final state
    /// estimates the error.
    pub embedded: Option<&'static [f64]>,
}

/// Tolerance for the rounding error of a sum of coefficients.
const ROUNDING: f64 = 1e-12;

impl Tableau {
    /// A solver with this method on the steps of the grid.
    ///
    /// # Errors
    /// Errors of [`check`](Self::check).
    pub fn fixed(self) -> Result<Box<dyn Solver>> {
        self.check()?;
        Ok(Box::new(self))
    }

    /// A solver with this pair that chooses its own steps.
    ///
    /// # Errors
    /// Errors of [`StepControl::check`] and of [`check`](Self::check), and [`Error::Runtime`] for a
    /// tableau without embedded method.
    pub fn adaptive(self, control: StepControl) -> Result<Box<dyn Solver>> {
        control.check()?;
        self.check()?;
        let Some(embedded) = self.embedded else {
            return Err(Error::runtime("the tableau has no embedded method to estimate errors by"));
        };
        let error = self.b.iter().zip(embedded).map(|(b, embedded)| b - embedded).collect();
        Ok(Box::new(Pair { tableau: self, error, control }))
    }

    /// Checks that this is an explicit method of the given order: as many nodes, rows and weights
    /// as stages, rows that sum to c, weights that sum to 1, and every order condition up to
    /// `order` (one less for the embedded method).
    ///
    /// # Errors
    /// [`Error::Runtime`] that names the first violated condition.
    pub fn check(&self) -> Result<()> {
        let stages = self.b.len();
        let wrong = |what: String| Err(Error::runtime(format!("the tableau is wrong: {what}")));
        let embedded = self.embedded.unwrap_or(self.b);
        if stages == 0 || self.order == 0 {
            return wrong("it has no stage or no order".into());
        }
        if [self.c.len(), self.a.len(), embedded.len()] != [stages; 3] {
            return wrong(format!("c, a, b and embedded do not have {stages} entries each"));
        }
        for (i, (row, c)) in self.a.iter().zip(self.c).enumerate() {
            if row.len() != i {
                return wrong(format!("stage {i} (from 0) has {} weights, not {i}", row.len()));
            }
            let sum: f64 = row.iter().sum();
            if !near(sum, *c) {
                return wrong(format!("row {i} (from 0) sums to {sum}, c is {c}"));
            }
        }
        let least = self.order.saturating_sub(1).max(1);
        for (name, b, order) in [("b", self.b, self.order), ("embedded", embedded, least)] {
            for tree in self.trees(order) {
                let (sum, right) = (dot(b, &tree.weights), 1.0 / tree.density);
                if near(sum, right) {
                    continue;
                }
                return wrong(match tree.order {
                    1 => format!("`{name}` sums to {sum}, not 1"),
                    n => format!("a condition of order {n} on `{name}` is {sum}, not {right}"),
                });
            }
        }
        Ok(())
    }

    /// True if the last stage is at the end of the step.
    fn first_same_as_last(&self) -> bool {
        match (self.b.split_last(), self.a.last()) {
            (Some((last, b)), Some(row)) => *last == 0.0 && *row == b,
            _ => false,
        }
    }

    /// Final state of a step and its stages; the first stage may be known from the step before.
    fn run<S>(&self, step: &Step<'_, S>) -> Result<(Tensor, Vec<Tensor>)>
    where
        S: Stepper<Memory = Option<Tensor>>,
    {
        let mut k = match step.before.and_then(Option::as_ref) {
            Some(slope) => vec![slope.shallow_clone()],
            None => vec![step.slope()?],
        };
        let ahead = |k: &[Tensor], weights| step.z + combine(k, weights) * step.h;
        let mut z = step.z.shallow_clone();
        for (a, c) in self.a.iter().zip(self.c).skip(1) {
            z = ahead(&k, a);
            k.push(step.derivative(&z, step.s + c * step.h)?);
        }
        if !self.first_same_as_last() {
            z = ahead(&k, self.b);
        }
        Ok((z, k))
    }

    /// First stage of the step after one with stages `k`, where it is known.
    fn next_slope(&self, k: &mut Vec<Tensor>) -> Option<Tensor> {
        k.pop().filter(|_| self.first_same_as_last())
    }

    /// Rooted trees up to `order`; each stands for an order condition Σ_i b_i·weights_i = 1/density
    /// (Hairer, Nørsett & Wanner 1993, I, II.2, theorem 2.13).
    fn trees(&self, order: usize) -> Vec<Tree> {
        let mut all = Vec::new();
        for n in 1..=order {
            let root = Tree { order: n, density: n as f64, weights: vec![1.0; self.b.len()] };
            let mut of_order = Vec::new();
            self.grow(root, n - 1, &all, &mut of_order);
            all.extend(of_order);
        }
        all
    }

    /// Adds to `grown` all trees that have `left` more vertices on the root of `tree`, in branches
    /// out of `branches`.
    fn grow(&self, tree: Tree, left: usize, branches: &[Tree], grown: &mut Vec<Tree>) {
        if left == 0 {
            grown.push(tree);
            return;
        }
        for (i, branch) in branches.iter().enumerate().filter(|(_, b)| b.order <= left) {
            let inner = self.a.iter().map(|row| dot(row, &branch.weights));
            let tree = Tree {
                order: tree.order,
                density: tree.density * branch.density,
                weights: tree.weights.iter().zip(inner).map(|(w, inner)| w * inner).collect(),
            };
            self.grow(tree, left - branch.order, &branches[i..], grown);
        }
    }
}

/// A rooted tree: its number of vertices, density γ and elementary weight of each stage.
struct Tree {
    order: usize,
    density: f64,
    weights: Vec<f64>,
}

/// Dot product over the shorter length.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= ROUNDING
}

/// Σ weights_i·k_i, without the terms of weight 0.
fn combine(k: &[Tensor], weights: &[f64]) -> Tensor {
    let mut terms = k.iter().zip(weights).filter(|(_, w)| **w != 0.0).map(|(k, w)| k * *w);
    let Some(mut sum) = terms.next() else { return k[0].zeros_like() };
    terms.for_each(|term| sum += term);
    sum
}

impl Stepper for Tableau {
    type Node = ();
    type Memory = Option<Tensor>;

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let (z, mut k) = self.run(step)?;
        Ok(Stepped::to(z).remember(self.next_slope(&mut k)))
    }

    fn order(&self) -> usize {
        self.order
    }
}

/// An embedded pair with step control.
struct Pair {
    tableau: Tableau,
    /// Weights of the final state minus those of the embedded method.
    error: Vec<f64>,
    control: StepControl,
}

impl Stepper for Pair {
    type Node = ();
    type Memory = Option<Tensor>;

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let (z, mut k) = self.tableau.run(step)?;
        let error = combine(&k, &self.error) * step.h;
        Ok(Stepped::to(z).remember(self.tableau.next_slope(&mut k)).with_error(error))
    }

    fn order(&self) -> usize {
        self.tableau.order
    }

    fn control(&self) -> Option<&StepControl> {
        Some(&self.control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSICAL: Tableau = Tableau {
        order: 4,
        c: &[0.0, 0.5, 0.5, 1.0],
        a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
        b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
        embedded: None,
    };

    fn wrong(tableau: Tableau) -> String {
        tableau.check().unwrap_err().to_string()
    }

    #[test]
    fn there_are_as_many_conditions_as_rooted_trees() {
        let trees = CLASSICAL.trees(6);
        let of_order = |n| trees.iter().filter(|tree| tree.order == n).count();
        // OEIS A000081.
        assert_eq!([1, 2, 3, 4, 5, 6].map(of_order), [1, 1, 2, 4, 9, 20]);
    }

    #[test]
    fn a_tableau_has_the_order_that_its_conditions_give_and_no_higher() {
        for order in 1..=4 {
            Tableau { order, ..CLASSICAL }.check().unwrap();
        }
        let message = wrong(Tableau { order: 5, ..CLASSICAL });
        assert!(message.contains("a condition of order 5 on `b`"), "{message}");
    }

    #[test]
    fn a_tableau_that_is_no_method_says_where() {
        let shifted = Tableau { c: &[0.0, 0.5, 0.6, 1.0], ..CLASSICAL };
        assert_eq!(wrong(shifted), "the tableau is wrong: row 2 (from 0) sums to 0.5, c is 0.6");
        let implicit = Tableau { a: &[&[0.0], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]], ..CLASSICAL };
        assert!(wrong(implicit).contains("stage 0 (from 0) has 1 weights, not 0"));
        let heavy = Tableau { b: &[0.25, 0.25, 0.25, 0.5], ..CLASSICAL };
        assert_eq!(wrong(heavy), "the tableau is wrong: `b` sums to 1.25, not 1");
        let short = Tableau { c: &[0.0, 0.5, 0.5], ..CLASSICAL };
        assert!(wrong(short).contains("c, a, b and embedded do not have 4 entries each"));
        let none = Tableau { order: 0, ..CLASSICAL };
        assert!(wrong(none).contains("no order"));
    }

    #[test]
    fn an_embedded_method_needs_one_order_less() {
        let pair = |embedded| Tableau {
            order: 2,
            c: &[0.0, 1.0],
            a: &[&[], &[1.0]],
            b: &[0.5, 0.5],
            embedded: Some(embedded),
        };
        pair(&[1.0, 0.0]).check().unwrap();
        let message = wrong(pair(&[0.5, 0.25]));
        assert_eq!(message, "the tableau is wrong: `embedded` sums to 0.75, not 1");
    }

    #[test]
    fn a_method_alone_estimates_no_error() {
        let control = StepControl {
            rtol: 1e-3,
            atol: 1e-3,
            first_step: 0.1,
            max_steps: 10,
            error: crate::component::ErrorNorm::Batch,
            factor: crate::component::StepFactor::default(),
        };
        let message = CLASSICAL.adaptive(control).err().unwrap().to_string();
        assert!(message.contains("no embedded method"), "{message}");
    }
}
