//! Benchmarks of each kernel against the LibTorch operations that it replaces: `cargo bench -p
//! triflow-plugins`. `OMP_NUM_THREADS` sets the number of threads.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use triflow::kernels::{self, Activation, AdamStep, Affine, End};
use triflow::tch::{self, Device, Kind, Tensor};

fn main() {
    // Freed memory is kept, as in the engine.
    triflow::memory::keep_freed();
    divan::main();
}

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Rows and width of the problems S, M and L of `make bench`.
const SIZES: [(i64, i64); 3] = [(256, 64), (512, 512), (256, 2048)];

/// Three layers of equal width.
struct Layers {
    x: Tensor,
    parameters: Vec<(Tensor, Tensor)>,
}

impl Layers {
    fn new((rows, width): (i64, i64)) -> Self {
        let layer = |_| {
            let weight = Tensor::randn([width, width], FLOAT) / (width as f64).sqrt();
            (weight.set_requires_grad(true), Tensor::zeros([width], FLOAT).set_requires_grad(true))
        };
        Self { x: Tensor::randn([rows, width], FLOAT), parameters: (0..3).map(layer).collect() }
    }

    fn kernel(&self) -> Tensor {
        let layers: Vec<_> = self
            .parameters
            .iter()
            .map(|(weight, bias)| Affine { weight, bias: Some(bias) })
            .collect();
        kernels::chain(&[&self.x], None, &layers, Activation::Swish, End::Activated)
    }

    fn libtorch(&self) -> Tensor {
        self.parameters
            .iter()
            .fold(self.x.shallow_clone(), |h, (weight, bias)| h.linear(weight, Some(bias)).silu())
    }

    fn gradients(&self, y: &Tensor) -> Vec<Tensor> {
        let learned: Vec<_> = self.parameters.iter().flat_map(|(w, b)| [w, b]).collect();
        Tensor::run_backward(&[y.sum(Kind::Float)], &learned, false, false)
    }
}

/// Measures in multiply-adds a second, with `passes` products a layer.
fn layers(bencher: Bencher<'_, '_>, size: (i64, i64), passes: i64, run: impl Fn(&Layers)) {
    tch::manual_seed(0);
    let layers = Layers::new(size);
    let work = 3 * passes * size.0 * size.1 * size.1;
    bencher.counter(ItemsCount::new(work as u64)).bench_local(|| run(&layers));
}

#[divan::bench(args = SIZES)]
fn forward_kernel(bencher: Bencher<'_, '_>, size: (i64, i64)) {
    layers(bencher, size, 1, |l| drop(black_box(tch::no_grad(|| l.kernel()))));
}

#[divan::bench(args = SIZES)]
fn forward_libtorch(bencher: Bencher<'_, '_>, size: (i64, i64)) {
    layers(bencher, size, 1, |l| drop(black_box(tch::no_grad(|| l.libtorch()))));
}

// Counted as nine products, but the first layer's input has no gradient, so there are eight.
#[divan::bench(args = SIZES)]
fn gradient_kernel(bencher: Bencher<'_, '_>, size: (i64, i64)) {
    layers(bencher, size, 3, |l| drop(black_box(l.gradients(&l.kernel()))));
}

#[divan::bench(args = SIZES)]
fn gradient_libtorch(bencher: Bencher<'_, '_>, size: (i64, i64)) {
    layers(bencher, size, 3, |l| drop(black_box(l.gradients(&l.libtorch()))));
}

/// Measures in entries of the result a second.
fn entries(bencher: Bencher<'_, '_>, count: i64, run: impl Fn() -> Tensor) {
    bencher.counter(ItemsCount::new(count as u64)).bench_local(|| drop(black_box(run())));
}

const ROWS: i64 = 4096;
const WAVES: i64 = 32;

#[divan::bench]
fn sinusoids_kernel(bencher: Bencher<'_, '_>) {
    let (time, w) = (Tensor::rand([ROWS], FLOAT), Tensor::rand([WAVES], FLOAT) * 1000.0);
    entries(bencher, ROWS * WAVES * 2, || kernels::sinusoids(&time, &w));
}

#[divan::bench]
fn sinusoids_libtorch(bencher: Bencher<'_, '_>) {
    let (time, w) = (Tensor::rand([ROWS], FLOAT), Tensor::rand([WAVES], FLOAT) * 1000.0);
    entries(bencher, ROWS * WAVES * 2, || {
        let angles = time.unsqueeze(1) * &w;
        Tensor::cat(&[angles.sin(), angles.cos()], 1)
    });
}

#[divan::bench]
fn blend_kernel(bencher: Bencher<'_, '_>) {
    let [a, b] = [0; 2].map(|_| Tensor::rand([ROWS], FLOAT));
    let [x, y] = [0; 2].map(|_| Tensor::randn([ROWS, 64], FLOAT));
    entries(bencher, ROWS * 64, || kernels::blend(&a, &x, &b, &y));
}

#[divan::bench]
fn blend_libtorch(bencher: Bencher<'_, '_>) {
    let [a, b] = [0; 2].map(|_| Tensor::rand([ROWS, 1], FLOAT));
    let [x, y] = [0; 2].map(|_| Tensor::randn([ROWS, 64], FLOAT));
    entries(bencher, ROWS * 64, || &a * &x + &b * &y);
}

#[divan::bench]
fn squared_error_kernel(bencher: Bencher<'_, '_>) {
    let [x, y] = [0; 2].map(|_| Tensor::randn([ROWS, 64], FLOAT));
    entries(bencher, ROWS * 64, || kernels::squared_error(&x, &y, None, true));
}

#[divan::bench]
fn squared_error_libtorch(bencher: Bencher<'_, '_>) {
    let [x, y] = [0; 2].map(|_| Tensor::randn([ROWS, 64], FLOAT));
    entries(bencher, ROWS * 64, || (&x - &y).square().mean(Kind::Float));
}

/// Parameters, gradient and both moments of Adam.
fn state() -> [Tensor; 4] {
    [0; 4].map(|_| Tensor::rand([1 << 20], FLOAT))
}

#[divan::bench]
fn adam_kernel(bencher: Bencher<'_, '_>) {
    let [mut p, g, mut m, mut v] = state();
    let [step, learning_rate] = [10.0, 1e-3].map(Tensor::from);
    let adam = AdamStep {
        step: &step,
        learning_rate: &learning_rate,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.0,
    };
    bencher
        .counter(ItemsCount::new(1u64 << 20))
        .bench_local(|| kernels::adam(&mut p, &g, &mut m, &mut v, adam));
}

#[divan::bench]
fn adam_libtorch(bencher: Bencher<'_, '_>) {
    let [mut p, g, mut m, mut v] = state();
    bencher.counter(ItemsCount::new(1u64 << 20)).bench_local(|| {
        let _ = m.lerp_(&g, 0.1);
        v *= 0.999;
        v += g.square() * 0.001;
        let (one, two) = (1.0 - 0.9f64.powi(10), 1.0 - 0.999f64.powi(10));
        p -= &m / ((&v / two).sqrt() + 1e-8) * (1e-3 / one);
    });
}
