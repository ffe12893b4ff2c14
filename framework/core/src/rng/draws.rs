//! Sources of random numbers for components.

use super::philox::Philox;
use super::streams::Streams;
use super::{Purpose, stream_seed};
use crate::error::{Error, Result};
use crate::registry::guard_engine;
use rand::Rng as _;
use rand_distr::{Distribution as _, StandardNormal};
use std::cell::Cell;
use tch::{Device, Kind, Tensor};

/// Random numbers for rows. In training they come from LibTorch's generator, which the engine has
/// seeded; in sampling each row has its own stream, so that a sample depends on the seed and the
/// number of its row only, not on how many rows are drawn. Successive calls give successive parts
/// of the streams.
pub trait Draws {
    /// Independent draws from N(0, 1), `[n, …]` for n rows.
    ///
    /// # Errors
    /// [`Error::Runtime`] for a shape without an axis of rows, or where LibTorch cannot make the
    /// tensor.
    fn normal(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor>;
    /// Independent draws from the uniform distribution on [0, 1), `[n, …]` for n rows.
    ///
    /// # Errors
    /// [`Error::Runtime`] for a shape without an axis of rows, or where LibTorch cannot make the
    /// tensor.
    fn uniform(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor>;
    /// Independent integers (int64) from 0 to `below` − 1 with equal probability, `[n, …]` for n
    /// rows.
    ///
    /// # Errors
    /// [`Error::Runtime`] for `below` less than 1, for a shape without an axis of rows, or where
    /// LibTorch cannot make the tensor.
    fn integers(&self, below: i64, shape: &[i64], device: Device) -> Result<Tensor>;
}

/// Draws from LibTorch's generator, used in training.
#[derive(Clone, Copy, Debug)]
pub struct TorchDraws;

impl Draws for TorchDraws {
    fn normal(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        guard_engine(|| Ok(Tensor::randn(shape, options)))
    }

    fn uniform(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        guard_engine(|| Ok(Tensor::rand(shape, options)))
    }

    fn integers(&self, below: i64, shape: &[i64], device: Device) -> Result<Tensor> {
        guard_engine(|| Ok(Tensor::randint(below, shape, (Kind::Int64, device))))
    }
}

/// Draws with a stream for each row, used in sampling. They are computed on the CPU from 64 bits
/// each, so that they agree on all devices and, up to rounding, in all precisions.
#[derive(Debug)]
pub struct RowDraws {
    streams: Streams,
    purpose: Purpose,
    /// Number of calls so far.
    calls: Cell<u32>,
}

impl RowDraws {
    /// Draws for row i from stream i of `streams`, for one purpose.
    pub fn new(streams: Streams, purpose: Purpose) -> Self {
        Self { streams, purpose, calls: Cell::new(0) }
    }

    /// A tensor of `shape` `[n, …]`, filled row by row by `draw`.
    fn fill<T: Copy + Default + tch::kind::Element>(
        &self,
        shape: &[i64],
        draw: impl Fn(&mut Philox) -> T,
    ) -> Result<Tensor> {
        let call = self.calls.get();
        self.calls.set(call.wrapping_add(1));
        let [n, rest @ ..] = shape else {
            return Err(Error::runtime("random numbers are asked for without an axis of rows"));
        };
        let (n, width) = (*n as usize, rest.iter().product::<i64>() as usize);
        let mut values = vec![T::default(); n * width];
        let mut last = None;
        for (i, row) in values.chunks_exact_mut(width.max(1)).enumerate() {
            let stream = self.streams.at(i)?;
            let key = match last {
                Some((seed, draw, key)) if (seed, draw) == (stream.seed, stream.draw) => key,
                _ => stream_seed(stream.seed, self.purpose, stream.draw),
            };
            last = Some((stream.seed, stream.draw, key));
            let mut generator = Philox::new(key, call, stream.row);
            row.fill_with(|| draw(&mut generator));
        }
        guard_engine(|| Ok(Tensor::from_slice(&values).view(shape)))
    }
}

impl Draws for RowDraws {
    fn normal(&self, shape: &[i64], (kind, device): (Kind, Device)) -> Result<Tensor> {
        let normal = |g: &mut Philox| -> f64 { StandardNormal.sample(g) };
        let drawn = match kind {
            Kind::Double => self.fill(shape, normal)?,
            _ => self.fill(shape, |g| normal(g) as f32)?,
        };
        guard_engine(|| Ok(drawn.to_kind(kind).to_device(device)))
    }

    fn uniform(&self, shape: &[i64], (kind, device): (Kind, Device)) -> Result<Tensor> {
        // The upper bits only: rounding all 64 would give 1 in some cases.
        let drawn = match kind {
            Kind::Double => self.fill(shape, |g| (g.next_u64() >> 11) as f64 * 2f64.powi(-53))?,
            _ => self.fill(shape, |g| (g.next_u64() >> 40) as f32 * 2f32.powi(-24))?,
        };
        guard_engine(|| Ok(drawn.to_kind(kind).to_device(device)))
    }

    fn integers(&self, below: i64, shape: &[i64], device: Device) -> Result<Tensor> {
        if below < 1 {
            return Err(Error::runtime(format!("there is no integer from 0 to {}", below - 1)));
        }
        // The integer part of below·x/2⁶⁴; its deviation from equal probability is too small to
        // measure.
        let share = |x: u64| ((u128::from(x) * below as u128) >> 64) as i64;
        let drawn = self.fill(shape, |g| share(g.next_u64()))?;
        guard_engine(|| Ok(drawn.to_device(device)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn draws(seed: u64, from: i64) -> RowDraws {
        RowDraws::new(Streams::new(seed, 0).from(from), Purpose::Sample)
    }

    #[test]
    fn a_row_is_the_same_whatever_is_drawn_beside_it() {
        type Draw<'d> = &'d dyn Fn(&RowDraws, i64) -> Tensor;
        let all: [Draw<'_>; 3] = [
            &|d, n| d.normal(&[n, 3, 2], CPU).unwrap(),
            &|d, n| d.uniform(&[n, 5], CPU).unwrap(),
            &|d, n| d.integers(10, &[n], Device::Cpu).unwrap(),
        ];
        for draw in all {
            let (many, few) = (draws(7, 0), draws(7, 0));
            // The second draw as well as the first.
            for _ in 0..2 {
                let rows = draw(&many, 100);
                assert!(rows.narrow(0, 0, 9).equal(&draw(&few, 9)));
            }
            let all = draw(&draws(7, 0), 100);
            assert!(all.narrow(0, 40, 60).equal(&draw(&draws(7, 40), 60)));
            assert!(!all.equal(&draw(&draws(8, 0), 100)));
        }
    }

    #[test]
    fn rows_draws_purposes_and_calls_have_streams_of_their_own() {
        let d = draws(1, 0);
        let (first, second) = (d.normal(&[2, 8], CPU).unwrap(), d.normal(&[2, 8], CPU).unwrap());
        let other = RowDraws::new(Streams::new(1, 1), Purpose::Sample);
        let path = RowDraws::new(Streams::new(1, 0), Purpose::Path);
        let [third, fourth] = [other, path].map(|d| d.normal(&[2, 8], CPU).unwrap());
        let rows: Vec<Vec<f32>> = [first, second, third, fourth]
            .iter()
            .flat_map(|t| [t.get(0), t.get(1)])
            .map(|t| Vec::try_from(t).unwrap())
            .collect();
        for (i, row) in rows.iter().enumerate() {
            assert!(rows[..i].iter().all(|other| other != row), "{i}");
        }
    }

    #[test]
    fn they_have_the_laws_that_they_say() {
        let n = 200_000;
        let d = draws(3, 0);
        let wide = (Kind::Double, Device::Cpu);
        let mean = |t: Tensor| t.mean(Kind::Double).double_value(&[]);
        let within = |value: f64, right: f64, deviation: f64| {
            let error = deviation / (n as f64).sqrt();
            assert!((value - right).abs() < 5.0 * error, "{value} for {right} ± {error}");
        };
        let z = d.normal(&[n / 2, 2], wide).unwrap();
        within(mean(z.shallow_clone()), 0.0, 1.0);
        within(mean(z.square()), 1.0, 2f64.sqrt());
        within(mean(z.pow_tensor_scalar(4)), 3.0, 96f64.sqrt());
        // Neighbours in a row, then in a column.
        within(2.0 * mean(z.select(1, 0) * z.select(1, 1)) / 2.0, 0.0, 2f64.sqrt());
        let (above, below) = (z.narrow(0, 0, n / 2 - 1), z.narrow(0, 1, n / 2 - 1));
        within(mean(above * below), 0.0, 1.0);
        let u = d.uniform(&[n, 1], wide).unwrap();
        within(mean(u.shallow_clone()), 0.5, 12f64.sqrt().recip());
        within(mean(u.square()), 1.0 / 3.0, (4.0f64 / 45.0).sqrt());
        assert!(u.min().double_value(&[]) >= 0.0 && u.max().double_value(&[]) < 1.0);
        let i = d.integers(8, &[n], Device::Cpu).unwrap();
        for k in 0..8 {
            within(mean(i.eq(k).to_kind(Kind::Double)), 0.125, (0.125f64 * 0.875).sqrt());
        }
    }

    #[test]
    fn precisions_agree_but_for_rounding() {
        for kind in [Kind::Float, Kind::BFloat16] {
            let draw = |kind| draws(5, 0).normal(&[50, 4], (kind, Device::Cpu)).unwrap();
            let (wide, narrow) = (draw(Kind::Double), draw(kind));
            assert_eq!(narrow.kind(), kind);
            let difference = (wide - narrow.to_kind(Kind::Double)).abs().max().double_value(&[]);
            assert!(difference < if kind == Kind::Float { 1e-6 } else { 0.02 }, "{difference}");
        }
    }
}
