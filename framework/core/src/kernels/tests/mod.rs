//! Tests of each kernel against the LibTorch operations that it replaces.

mod arrival;
mod attention;
mod instructions;
mod norm;

use super::*;
use crate::rng::{Purpose, seed_torch};
use tch::{Device, Kind, no_grad};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn normal(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, FLOAT)
}

/// Largest difference, relative to the largest entry.
fn relative_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let scale = b.abs().max().double_value(&[]).max(1e-6);
    (a - b).abs().max().double_value(&[]) / scale
}

#[track_caller]
fn close(a: &Tensor, b: &Tensor) {
    let difference = relative_difference(a, b);
    assert!(difference < 2e-5, "{difference}");
}

/// Inputs and layers of a chain; all require gradients but the first input.
struct ChainCase {
    inputs: Vec<Tensor>,
    layers: Vec<(Tensor, Option<Tensor>)>,
}

impl ChainCase {
    fn new(rows: i64, inputs: &[i64], widths: &[i64], biased: bool) -> Self {
        let _stream = seed_torch(5, Purpose::Data, 0);
        let inputs: Vec<Tensor> = inputs.iter().map(|n| normal(&[rows, *n])).collect();
        let mut from: i64 = inputs.iter().map(|x| x.size()[1]).sum();
        let layer = |&to: &i64| {
            let weight = normal(&[to, from]) / (from as f64).sqrt();
            from = to;
            let bias = biased.then(|| normal(&[to]).set_requires_grad(true));
            (weight.set_requires_grad(true), bias)
        };
        let layers = widths.iter().map(layer).collect();
        for x in &inputs[1..] {
            let _ = x.set_requires_grad(true);
        }
        Self { inputs, layers }
    }

    fn fused(&self, activation: Activation, end: End) -> Tensor {
        let layers: Vec<Affine<'_>> = self
            .layers
            .iter()
            .map(|(weight, bias)| Affine { weight, bias: bias.as_ref() })
            .collect();
        chain(&self.inputs.iter().collect::<Vec<_>>(), None, &layers, activation, end)
    }

    fn plain(&self, activation: Activation, end: End) -> Tensor {
        let mut h = Tensor::cat(&self.inputs, 1);
        for (i, (weight, bias)) in self.layers.iter().enumerate() {
            h = h.linear(weight, bias.as_ref());
            if i + 1 < self.layers.len() || end == End::Activated {
                h = activation.apply(&h);
            }
        }
        h
    }

    fn learned(&self) -> Vec<&Tensor> {
        let parameters =
            self.layers.iter().flat_map(|(weight, bias)| std::iter::once(weight).chain(bias));
        self.inputs[1..].iter().chain(parameters).collect()
    }
}

const ACTIVATIONS: [Activation; 6] = [
    Activation::Swish,
    Activation::Relu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Tanh,
    Activation::Softplus,
];

/// (rows, inputs, widths): one row, odd numbers, divided by rows over several threads, divided by
/// columns, and larger than the block that a product packs at once in each direction.
fn shapes() -> Vec<(i64, Vec<i64>, Vec<i64>)> {
    vec![
        (1, vec![3], vec![4]),
        (7, vec![2, 5, 1], vec![9, 3]),
        (333, vec![2, 64, 64], vec![64, 64, 65, 2]),
        (65, vec![3, 500], vec![400, 391, 17]),
        (530, vec![3, 310], vec![601, 290, 17]),
    ]
}

#[test]
fn a_chain_and_its_gradients_are_those_of_its_parts() {
    let _stream = seed_torch(6, Purpose::Data, 0);
    for (rows, inputs, widths) in shapes() {
        for (activation, end, biased) in ACTIVATIONS.into_iter().flat_map(|a| {
            [(a, End::Activated, true), (a, End::Linear, true), (a, End::Linear, false)]
        }) {
            let case = ChainCase::new(rows, &inputs, &widths, biased);
            let (ours, theirs) = (case.fused(activation, end), case.plain(activation, end));
            close(&ours, &theirs);
            close(&no_grad(|| case.fused(activation, end)), &theirs);
            let g = normal(&theirs.size());
            let learned = case.learned();
            let gradients = |y: &Tensor| {
                Tensor::run_backward(&[(y * &g).sum(Kind::Float)], &learned, false, false)
            };
            for (a, b) in gradients(&ours).iter().zip(&gradients(&theirs)) {
                close(a, b);
            }
        }
    }
}

#[test]
fn a_chain_may_be_differentiated_twice() {
    for (rows, inputs, widths) in shapes() {
        let case = ChainCase::new(rows, &inputs, &widths, true);
        let _ = case.inputs[0].set_requires_grad(true);
        let twice = |y: Tensor| {
            let x = &case.inputs[0];
            let slope = Tensor::run_backward(&[y.square().sum(Kind::Float)], &[x], true, true);
            let learned = &case.layers[0].0;
            Tensor::run_backward(&[slope[0].square().sum(Kind::Float)], &[learned], false, false)
                .remove(0)
        };
        let ours = twice(case.fused(Activation::Swish, End::Linear));
        close(&ours, &twice(case.plain(Activation::Swish, End::Linear)));
    }
}

#[test]
fn a_chain_takes_a_start_and_ranges_of_columns() {
    for (rows, inputs, widths) in shapes() {
        let case = ChainCase::new(rows, &inputs, &widths, true);
        no_grad(|| {
            let expected = case.plain(Activation::Swish, End::Linear);
            let (weight, bias) = &case.layers[0];
            let (all, first) = (weight.size()[1], inputs[0]);
            let start = (all > first).then(|| {
                let rest = Tensor::cat(&case.inputs[1..], 1);
                rest.linear(&weight.narrow(1, first, all - first), None::<&Tensor>)
            });
            let columns = weight.narrow(1, 0, first);
            let mut layers = vec![Affine { weight: &columns, bias: bias.as_ref() }];
            layers.extend(
                case.layers[1..]
                    .iter()
                    .map(|(weight, bias)| Affine { weight, bias: bias.as_ref() }),
            );
            let inputs = [&case.inputs[0]];
            close(
                &chain(&inputs, start.as_ref(), &layers, Activation::Swish, End::Linear),
                &expected,
            );
        });
    }
}

#[test]
fn nan_stays_nan_and_large_numbers_stay_finite() {
    let weight = Tensor::eye(4, FLOAT);
    let x = Tensor::from_slice(&[f32::NAN, 3e4, -3e4, 0.0]).view([1, 4]);
    use Activation::{Gelu, GeluTanh, Relu, Swish};
    for activation in [Swish, Relu, Gelu, GeluTanh] {
        for recorded in [false, true] {
            let weight = weight.copy().set_requires_grad(recorded);
            // A product would spread NaN over the row: the identity is compared entry by entry.
            let one = |i: i64| {
                let layer = Affine { weight: &weight.narrow(0, i, 1).narrow(1, i, 1), bias: None };
                chain(&[&x.narrow(1, i, 1)], None, &[layer], activation, End::Activated)
                    .double_value(&[0, 0])
            };
            assert!(one(0).is_nan(), "{activation:?}");
            assert_eq!([one(1), one(3)], [3e4, 0.0], "{activation:?}");
            assert!(one(2).abs() < 1e-30, "{activation:?}");
        }
    }
}

#[test]
fn a_blend_is_its_formula_in_any_precision_and_with_learned_coefficients() {
    let _stream = seed_torch(5, Purpose::Data, 0);
    for kind in [Kind::Float, Kind::Double] {
        for shape in [&[5, 3][..], &[4, 2, 3], &[6]] {
            let (x, y) = (normal(shape).to_kind(kind), normal(shape).to_kind(kind));
            let (a, b) = (normal(&shape[..1]).to_kind(kind), Tensor::from(0.25).to_kind(kind));
            let broadcast: Vec<i64> =
                std::iter::once(shape[0]).chain(shape[1..].iter().map(|_| 1)).collect();
            let expected = a.view(broadcast.as_slice()) * &x + &y * 0.25;
            let found = blend(&a, &x, &b, &y);
            assert_eq!(found.kind(), kind);
            close(&found, &expected);
            let a = a.set_requires_grad(true);
            let gradients = Tensor::run_backward(
                &[blend(&a, &x, &b, &y).sum(Kind::Double)],
                &[&a],
                false,
                false,
            );
            close(&gradients[0], &x.view([shape[0], -1]).sum_dim_intlist(1, false, kind));
        }
    }
}

#[test]
fn the_squared_error_and_its_gradients_are_those_of_its_formula() {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let formula = |x: &Tensor, y: &Tensor, w: Option<&Tensor>, mean: bool| {
        let squares = (x - y).square().flatten(1, -1);
        let n = if mean { squares.size()[1] as f64 } else { 1.0 };
        let rows = squares.sum_dim_intlist(1, false, x.kind()) / n;
        w.map_or_else(|| rows.shallow_clone(), |w| &rows * w).mean(x.kind())
    };
    for kind in [Kind::Float, Kind::Double] {
        for shape in [&[5, 1][..], &[5, 40], &[4, 2, 19]] {
            for mean in [true, false] {
                for weights in 0..3 {
                    let x = normal(shape).to_kind(kind).set_requires_grad(true);
                    let y = normal(shape).to_kind(kind);
                    let w = [
                        None,
                        Some(Tensor::from(0.3).to_kind(kind)),
                        Some(normal(&shape[..1]).to_kind(kind)),
                    ]
                    .into_iter()
                    .nth(weights)
                    .flatten();
                    let ours = squared_error(&x, &y, w.as_ref(), mean);
                    let theirs = formula(&x, &y, w.as_ref(), mean);
                    close(&ours, &theirs);
                    let by_x = |loss: &Tensor, again| {
                        Tensor::run_backward(&[loss * 3.0], &[&x], true, again).remove(0)
                    };
                    close(&by_x(&ours, false), &by_x(&theirs, false));
                    let twice = |loss: &Tensor| {
                        let slope = by_x(loss, true).square().sum(kind);
                        Tensor::run_backward(&[slope], &[&x], true, false).remove(0)
                    };
                    close(&twice(&ours), &twice(&theirs));
                    let y = y.set_requires_grad(true);
                    let by_y =
                        |loss: Tensor| Tensor::run_backward(&[loss], &[&y], false, false).remove(0);
                    close(
                        &by_y(squared_error(&x, &y, w.as_ref(), mean)),
                        &by_y(formula(&x, &y, w.as_ref(), mean)),
                    );
                }
            }
        }
    }
}

/// The gradient of each variable is in its place, whether it is used once or twice, by a chain or
/// another operation, not at all, or requires no gradient.
#[test]
fn a_flat_gradient_is_that_of_each_variable() {
    let _stream = seed_torch(6, Purpose::Data, 0);
    for (rows, inputs, widths) in shapes() {
        for biased in [true, false] {
            let case = ChainCase::new(rows, &inputs, &widths, biased);
            let other = ChainCase::new(rows, &inputs, &widths, biased);
            let frozen = &case.layers[case.layers.len() - 1].0;
            let _ = frozen.set_requires_grad(false);
            let unreached = normal(&[3]).set_requires_grad(true);
            let mut variables: Vec<Tensor> =
                case.learned().into_iter().map(Tensor::shallow_clone).collect();
            variables.reverse();
            variables.extend(other.learned().into_iter().map(Tensor::shallow_clone));
            variables.push(unreached);
            let loss = |pass: &dyn Fn(&ChainCase) -> Tensor| {
                let twice = pass(&case).square().mean(Kind::Float) + pass(&case).mean(Kind::Float);
                let aside = case.layers[0].0.square().sum(Kind::Float);
                twice + pass(&other).square().mean(Kind::Float) + aside
            };
            let found = gradient(&loss(&|m| m.fused(Activation::Swish, End::Linear)), &variables);
            let expected = loss(&|m| m.plain(Activation::Swish, End::Linear));
            let reached: Vec<&Tensor> =
                variables[..variables.len() - 1].iter().filter(|v| v.requires_grad()).collect();
            let mut gradients =
                Tensor::run_backward(&[expected], &reached, false, false).into_iter();
            let pieces: Vec<Tensor> = variables
                .iter()
                .enumerate()
                .map(|(i, v)| {
                    let is_reached = v.requires_grad() && i + 1 < variables.len();
                    is_reached.then(|| gradients.next()).flatten().unwrap_or_else(|| v.zeros_like())
                })
                .map(|g| g.reshape([-1]))
                .collect();
            close(&found, &Tensor::cat(&pieces, 0));
        }
    }
}

#[test]
fn sums_of_the_loss_say_what_was_missing() {
    let mut sums = Tensor::zeros([3], (Kind::Double, Device::Cpu));
    let term = Tensor::from(0.5f32);
    accumulate(&mut sums, &[Some(&term), Some(&term)], 2.0);
    accumulate(&mut sums, &[Some(&term), None], 4.0);
    let found: Vec<f64> = Vec::try_from(sums).unwrap();
    assert_eq!([found[0], found[2]], [3.0, 6.0]);
    assert!(found[1].is_nan());
}

/// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
#[test]
fn adam_takes_the_steps_of_its_paper() {
    let (rate, beta1, beta2, eps, decay) = (0.01, 0.9, 0.99, 1e-8, 0.1);
    let mut p = Tensor::from_slice(&[1f32, -2.0]);
    let (mut mean, mut square) = (p.zeros_like(), p.zeros_like());
    let (mut expected, mut m, mut v) = ([1.0f64, -2.0], [0f64; 2], [0f64; 2]);
    for step in 1..=5i32 {
        let g = [0.3 * f64::from(step), -0.1];
        let rule = AdamStep {
            step: &Tensor::from(step),
            learning_rate: &Tensor::from(rate),
            beta1,
            beta2,
            eps,
            weight_decay: decay,
        };
        let gradient = Tensor::from_slice(&g).to_kind(Kind::Float);
        adam(&mut p, &gradient, &mut mean, &mut square, rule);
        for i in 0..2 {
            m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1.0 - beta2) * g[i] * g[i];
            let (mean, square) = (m[i] / (1.0 - beta1.powi(step)), v[i] / (1.0 - beta2.powi(step)));
            expected[i] -= rate * (mean / (square.sqrt() + eps) + decay * expected[i]);
        }
    }
    let found: Vec<f32> = Vec::try_from(p).unwrap();
    for (a, b) in found.iter().zip(expected) {
        assert!((f64::from(*a) - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn squares_are_summed_to_rounding_in_any_precision_and_number_of_threads() {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let threads = tch::get_num_threads();
    for shape in [vec![], vec![7], vec![3, 0], vec![2_000_003], vec![300, 1001]] {
        let x = normal(&shape) + 3.0;
        let exact = x.to_kind(Kind::Double).square().sum(Kind::Double);
        let found = squares(&x);
        assert_eq!((found.kind(), found.size()), (Kind::Double, vec![]));
        close(&found, &exact);
        close(&squares(&x.to_kind(Kind::Double)), &exact);
        tch::set_num_threads(1);
        assert_eq!(squares(&x), found);
        tch::set_num_threads(threads);
    }
    let transposed = normal(&[30, 50]).tr();
    close(&squares(&transposed), &transposed.square().sum(Kind::Double));
    let bad = normal(&[5000]);
    let _ = bad.get(4321).fill_(f64::NAN);
    assert!(squares(&bad).double_value(&[]).is_nan());
}

#[test]
fn sinusoids_are_sines_and_cosines_to_rounding() {
    let _stream = seed_torch(3, Purpose::Data, 0);
    for (rows, n, scale) in [(5, 3, 10.0), (257, 32, 1570.0), (9, 40, 8000.0)] {
        let time = Tensor::rand([rows], FLOAT) * 2.0 - 1.0;
        let frequencies = Tensor::rand([n], FLOAT) * scale;
        let found = sinusoids(&time, &frequencies);
        // The angle is rounded as in the plain product; everything after it is accurate to the last
        // places.
        let angle = (time.unsqueeze(-1) * &frequencies).to_kind(Kind::Double);
        let expected = Tensor::cat(&[angle.sin(), angle.cos()], -1);
        let off = (found.to_kind(Kind::Double) - expected).abs().max().double_value(&[]);
        assert!(off < 3e-7, "{rows} {n} {scale}: {off}");
    }
    // Beyond the range of the fast route, and in another precision.
    let time = Tensor::from_slice(&[1.0f32, 0.5]);
    let far = Tensor::from_slice(&[20_000.0f32]);
    let angle = time.unsqueeze(-1) * &far;
    assert_eq!(sinusoids(&time, &far), Tensor::cat(&[angle.sin(), angle.cos()], -1));
    // With a time that is not finite, no row takes the fast route.
    let finite = Tensor::rand([999], FLOAT);
    let time = Tensor::cat(&[&finite, &Tensor::from_slice(&[f32::NAN])], 0);
    let near = Tensor::from_slice(&[3.0f32, 700.0, 5000.0, 8000.0]);
    let angle = time.unsqueeze(-1) * &near;
    let (found, plain) = (sinusoids(&time, &near), Tensor::cat(&[angle.sin(), angle.cos()], -1));
    assert_eq!(found.narrow(0, 0, 999), plain.narrow(0, 0, 999));
    assert_ne!(sinusoids(&finite, &near), plain.narrow(0, 0, 999), "the routes differ in digits");
    assert!(found.get(999).isnan().all().int64_value(&[]) == 1);
    assert_eq!(
        sinusoids(&time.to_kind(Kind::Double), &far.to_kind(Kind::Double)).kind(),
        Kind::Double
    );
}

/// A graph with a fork, a sum of broadcast shapes, a variable used twice and one that is not
/// reached.
#[test]
fn gradients_on_this_thread_are_those_of_the_engine() {
    let _stream = seed_torch(4, Purpose::Data, 0);
    let new = |shape: &[i64]| normal(shape).set_requires_grad(true);
    let variables = [new(&[4, 3]), new(&[3]), new(&[2]), new(&[3, 4])];
    let loss = || {
        let [a, b, _, w] = &variables;
        let h = (a.matmul(w).tanh() + a.matmul(w).sigmoid() * 2.0).matmul(a) + b;
        (&h * &h * b).sum(Kind::Float) + h.unbind(1)[1].exp().mean(Kind::Float)
    };
    let found = gradient(&loss(), &variables);
    loss().backward();
    let expected = variables.iter().map(|v| match v.grad() {
        g if g.defined() => g.reshape([-1]),
        _ => v.detach().zeros_like().reshape([-1]),
    });
    close(&found, &Tensor::cat(&expected.collect::<Vec<_>>(), 0));
    // It adds nothing to the `grad` of a variable.
    let kept = variables[1].grad().copy();
    let _ = gradient(&loss(), &variables);
    assert_eq!(variables[1].grad(), kept);
}
