use super::design::Design;

/// Weight of half the squared norm of the weights beside the summed loss.
const PENALTY: f64 = 1.0;
/// Steps of Newton's method, and of each solution of its linear equations, at most.
const STEPS: usize = 100;

/// True values that a learner predicts.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// Numbers.
    Numbers(&'a [f64]),
    /// Classes from 0, and their number.
    Classes(&'a [usize], usize),
}

/// A linear model with squared weights as penalty, except for the intercept: ridge regression of
/// numbers, logistic regression of two classes, and multinomial regression of more. It is fitted by
/// Newton's method to convergence, with conjugate gradients for each step: the outcome depends on
/// the data alone.
pub struct Learner {
    /// Weights of each output: of one for numbers and two classes.
    weights: Vec<Vec<f64>>,
}

impl Learner {
    /// Fits a model.
    pub fn fit(design: &Design<'_>, target: Target<'_>) -> Self {
        let outputs = target.outputs();
        let mut weights = vec![vec![0.0; design.weights()]; outputs];
        let mut out = vec![vec![0.0; design.rows()]; outputs];
        let mut loss = target.loss(&out);
        for _ in 0..STEPS {
            let (slopes, chances) = target.slopes(&out);
            let mut gradient: Vec<_> =
                slopes.iter().map(|slopes| design.transposed_times(slopes)).collect();
            add_penalty(&mut gradient, &weights);
            let curvature = Curvature { design, chances: &chances, target };
            let step = curvature.solve(&gradient);
            let gain = dot(&gradient, &step);
            if gain <= 1e-12 * (1.0 + loss) {
                break;
            }
            let change: Vec<_> = step.iter().map(|step| design.times(step)).collect();
            // The full step, or a part of it that makes the loss smaller.
            let halves = (0..30).map(|halves| 0.5_f64.powi(halves));
            let tried = halves.map(|part| {
                let (mut weights, mut out) = (weights.clone(), out.clone());
                add(&mut weights, -part, &step);
                add(&mut out, -part, &change);
                let loss = target.loss(&out) + penalty(&weights);
                (part, weights, out, loss)
            });
            let smaller = |(part, _, _, new): &(f64, _, _, f64)| *new <= loss - 1e-4 * part * gain;
            let Some((_, better, moved, less)) = { tried }.find(smaller) else { break };
            (weights, out, loss) = (better, moved, less);
        }
        Self { weights }
    }

    /// Outputs of each row, one after the other: a number, the log-odds of class 1, or the logits
    /// of the classes.
    pub fn outputs(&self, design: &Design<'_>) -> Vec<Vec<f64>> {
        self.weights.iter().map(|weights| design.times(weights)).collect()
    }
}

impl Target<'_> {
    /// Number of outputs that predict it.
    pub fn outputs(self) -> usize {
        match self {
            Self::Classes(_, count) if count > 2 => count,
            _ => 1,
        }
    }

    /// Half the sum of squared errors, or the sum of the cross-entropies.
    fn loss(self, out: &[Vec<f64>]) -> f64 {
        match self {
            Self::Numbers(truth) => {
                truth.iter().zip(&out[0]).map(|(y, u)| (u - y).powi(2)).sum::<f64>() / 2.0
            }
            Self::Classes(truth, 2) => {
                let margin = |(y, u): (&usize, &f64)| if *y == 1 { *u } else { -u };
                truth.iter().zip(&out[0]).map(|of| softplus(-margin(of))).sum()
            }
            Self::Classes(truth, _) => {
                let row = |(i, y): (usize, &usize)| {
                    let most = out.iter().map(|u| u[i]).fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = out.iter().map(|u| (u[i] - most).exp()).sum();
                    most + sum.ln() - out[*y][i]
                };
                truth.iter().enumerate().map(row).sum()
            }
        }
    }

    /// Derivatives of the loss by the outputs, and the probabilities of the classes.
    pub fn slopes(self, out: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let (truth, chances) = match self {
            Self::Numbers(truth) => {
                let errors = truth.iter().zip(&out[0]).map(|(y, u)| u - y).collect();
                return (vec![errors], Vec::new());
            }
            Self::Classes(truth, 2) => {
                let chance = |u: &f64| 1.0 / (1.0 + (-u).exp());
                (truth, vec![out[0].iter().map(chance).collect::<Vec<_>>()])
            }
            Self::Classes(truth, _) => {
                let mut chances = out.to_vec();
                for i in 0..truth.len() {
                    let most = out.iter().map(|u| u[i]).fold(f64::NEG_INFINITY, f64::max);
                    chances.iter_mut().for_each(|p| p[i] = (p[i] - most).exp());
                    let sum: f64 = chances.iter().map(|p| p[i]).sum();
                    chances.iter_mut().for_each(|p| p[i] /= sum);
                }
                (truth, chances)
            }
        };
        let mut slopes = chances.clone();
        for (i, y) in truth.iter().enumerate() {
            match slopes.len() {
                1 => slopes[0][i] -= *y as f64,
                _ => slopes[*y][i] -= 1.0,
            }
        }
        (slopes, chances)
    }
}

/// Second derivatives of the loss by the weights.
struct Curvature<'a> {
    design: &'a Design<'a>,
    chances: &'a [Vec<f64>],
    target: Target<'a>,
}

impl Curvature<'_> {
    /// The matrix times `step`.
    fn times(&self, step: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut out: Vec<_> = step.iter().map(|step| self.design.times(step)).collect();
        match self.target {
            Target::Numbers(_) => {}
            Target::Classes(_, 2) => {
                let row = out[0].iter_mut().zip(&self.chances[0]);
                row.for_each(|(u, p)| *u *= p * (1.0 - p));
            }
            Target::Classes(..) => {
                for i in 0..self.design.rows() {
                    let mean: f64 = out.iter().zip(self.chances).map(|(u, p)| u[i] * p[i]).sum();
                    out.iter_mut().zip(self.chances).for_each(|(u, p)| u[i] = p[i] * (u[i] - mean));
                }
            }
        }
        let mut product: Vec<_> = out.iter().map(|out| self.design.transposed_times(out)).collect();
        add_penalty(&mut product, step);
        product
    }

    /// Diagonal of the matrix.
    fn diagonal(&self) -> Vec<Vec<f64>> {
        let own = |weights: &[f64]| self.design.squares_times(weights);
        let mut diagonal: Vec<_> = match self.chances {
            [] => vec![own(&vec![1.0; self.design.rows()])],
            chances => {
                let spread = |p: &Vec<f64>| p.iter().map(|p| p * (1.0 - p)).collect::<Vec<_>>();
                chances.iter().map(|p| own(&spread(p))).collect()
            }
        };
        let ones: Vec<_> = diagonal.iter().map(|of| vec![1.0; of.len()]).collect();
        add_penalty(&mut diagonal, &ones);
        diagonal
    }

    /// The inverse times `gradient`, to a relative error of about 10⁻³, by conjugate gradients with
    /// the diagonal as preconditioner.
    fn solve(&self, gradient: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let diagonal = self.diagonal();
        let conditioned = |residual: &[Vec<f64>]| {
            let mut all = residual.to_vec();
            for (all, diagonal) in all.iter_mut().flatten().zip(diagonal.iter().flatten()) {
                *all /= diagonal.max(1e-12);
            }
            all
        };
        let mut residual = gradient.to_vec();
        let mut direction = conditioned(&residual);
        let mut solution: Vec<_> = residual.iter().map(|of| vec![0.0; of.len()]).collect();
        let mut size = dot(&residual, &direction);
        let enough = 1e-6 * size;
        for _ in 0..STEPS {
            if size <= enough || size == 0.0 {
                break;
            }
            let product = self.times(&direction);
            let bend = dot(&direction, &product);
            if bend <= 0.0 {
                break;
            }
            add(&mut solution, size / bend, &direction);
            add(&mut residual, -size / bend, &product);
            let next = conditioned(&residual);
            let new_size = dot(&residual, &next);
            for (direction, next) in direction.iter_mut().flatten().zip(next.iter().flatten()) {
                *direction = next + new_size / size * *direction;
            }
            size = new_size;
        }
        solution
    }
}

/// ln(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn dot(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [Vec<f64>], factor: f64, what: &[Vec<f64>]) {
    to.iter_mut().flatten().zip(what.iter().flatten()).for_each(|(to, what)| *to += factor * what);
}

/// Half the squared weights, but for the intercepts.
fn penalty(weights: &[Vec<f64>]) -> f64 {
    let own = |weights: &Vec<f64>| weights.iter().rev().skip(1).map(|w| w * w).sum::<f64>();
    PENALTY / 2.0 * weights.iter().map(own).sum::<f64>()
}

/// Adds the derivatives of the penalty at `weights`.
fn add_penalty(to: &mut [Vec<f64>], weights: &[Vec<f64>]) {
    for (to, weights) in to.iter_mut().zip(weights) {
        let all = to.iter_mut().zip(weights).rev().skip(1);
        all.for_each(|(to, weight)| *to += PENALTY * weight);
    }
}
