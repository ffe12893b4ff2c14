//! Times of training, from the experiment's time sampler.

use crate::component::{Quantiles, TimeSampler, shape_text};
use crate::error::{Error, Result};
use crate::path::{Clock, Path, PathPoint};
use crate::registry::Component;
use tch::{Device, Kind, Tensor};

/// Number of quantiles at which a sampler is checked.
const CHECKED: i64 = 1000;

/// Place of consecutive rows in their batch, over which stratified times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRows {
    /// Number of the first row in the batch.
    pub from: i64,
    /// Number of rows.
    pub rows: i64,
    /// Number of rows of the batch.
    pub of: i64,
}

impl BatchRows {
    /// A whole batch.
    pub fn whole(rows: i64) -> Self {
        Self { from: 0, rows, of: rows }
    }
}

/// The distribution of the times of training.
pub struct Times {
    sampler: Box<dyn TimeSampler>,
    clock: Clock,
    stratified: bool,
    suit: bool,
    keep_the_loss: bool,
    options: (Kind, Device),
}

impl std::fmt::Debug for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Times").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Times {
    /// Builds a sampler, and checks its times on `path` if it [suits](Self::suit) it. Times are
    /// drawn in the precision and on the device of `options`.
    ///
    /// # Errors
    /// [`Error::Config`]: the sampler cannot be built, or gives no times.
    /// [`Error::Component`]: the sampler or the path fails.
    pub fn new(
        component: &Component<dyn TimeSampler>,
        path: &Path,
        options: (Kind, Device),
    ) -> Result<Self> {
        let sampler = component.build(&())?;
        let (clock, stratified) = (sampler.clock()?, sampler.stratified()?);
        let suit = path.bounded() || !sampler.needs_finite_ends()?;
        let mut new = Self { sampler, clock, stratified, suit, keep_the_loss: false, options };
        if suit {
            new.keep_the_loss = tch::no_grad(|| new.check(path))?;
        }
        Ok(new)
    }

    /// True if the path has the finite log-SNR at its ends that the sampler needs, if it does.
    pub fn suit(&self) -> bool {
        self.suit
    }

    /// Checks the times between 0 and 1. Returns true if their distribution does not change the
    /// loss.
    fn check(&self, path: &Path) -> Result<bool> {
        let options = (Kind::Double, self.options.1);
        let u = (Tensor::arange(CHECKED, options) + 0.5) / CHECKED as f64;
        let bad = |message: String| Err(Error::config("", message));
        let quantiles = self.quantiles(&u, path)?;
        if quantiles.at.size() != [CHECKED] {
            let size = shape_text(&quantiles.at.size());
            return bad(format!("gives {size} for {CHECKED} quantiles"));
        }
        let weighted = quantiles.slope.is_some();
        let (point, factor) = self.on(path, quantiles)?;
        let all = |holds: Tensor| holds.all().int64_value(&[]) == 1;
        let (first, last) = (point.t.double_value(&[0]), point.t.double_value(&[-1]));
        if !all(point.t.ge(-1e-6).logical_and(&point.t.le(1.0 + 1e-6))) {
            return bad(format!("times are not within [0, 1]: they go from {first} to {last}"));
        }
        if !all(point.t.diff::<Tensor>(1, -1, None, None).ge(-1e-6)) || first >= last {
            return bad(format!("times do not rise: they go from {first} to {last}"));
        }
        if factor.is_some_and(|factor| !all(factor.gt(0.0).logical_and(&factor.isfinite()))) {
            return bad("the weight of the errors is not a number above 0 at all times".into());
        }
        Ok(weighted || all((&point.t - u).abs().le(1e-6)))
    }

    /// True if the expected loss is that of uniform times.
    pub fn keep_the_loss(&self) -> bool {
        self.keep_the_loss
    }

    /// Draws times for rows of a batch, with the factor of their errors; `None` for 1. The
    /// quantiles come from LibTorch's generator.
    ///
    /// # Errors
    /// [`Error::Component`]: the sampler or the path fails.
    pub fn draw<'p>(
        &self,
        rows: BatchRows,
        path: &'p Path,
    ) -> Result<(PathPoint<'p>, Option<Tensor>)> {
        let BatchRows { from, rows, of } = rows;
        let u = Tensor::rand([rows], self.options);
        let u = match self.stratified {
            true => (Tensor::arange_start(from, from + rows, self.options) + u) / of as f64,
            false => u,
        };
        self.at(&u, path)
    }

    /// The path at the times of quantiles `u`, `[batch]` in \[0, 1\], with the factor of their
    /// errors; `None` for 1.
    ///
    /// # Errors
    /// [`Error::Component`]: the sampler or the path fails.
    pub fn at<'p>(&self, u: &Tensor, path: &'p Path) -> Result<(PathPoint<'p>, Option<Tensor>)> {
        let quantiles = tch::no_grad(|| self.quantiles(u, path))?;
        self.on(path, quantiles)
    }

    fn quantiles(&self, u: &Tensor, path: &Path) -> Result<Quantiles> {
        // Made on the device, because a copy to it would wait.
        let ends = Tensor::arange(2, (u.kind(), u.device()));
        match self.clock {
            Clock::Time => self.sampler.quantiles(u, &ends),
            Clock::Gamma => self.sampler.quantiles(u, &path.at(&ends)?.gamma()),
        }
    }

    fn on<'p>(
        &self,
        path: &'p Path,
        quantiles: Quantiles,
    ) -> Result<(PathPoint<'p>, Option<Tensor>)> {
        let Quantiles { at, slope } = quantiles;
        match self.clock {
            Clock::Time => Ok((path.at(&at)?, slope)),
            Clock::Gamma => {
                let point = path.at(&path.time_of(&at)?.detach())?;
                // dt/du = (dγ/du)/γ'
                let factor = match slope {
                    Some(slope) => Some(slope / point.gamma_prime()?.detach()),
                    None => None,
                };
                Ok((point, factor))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::rng::{Purpose, seed_torch};
    use crate::testing::paths::straight;

    crate::component! {
        /// Independent squares of uniform times, or what a test makes of them.
        pub struct Squares: TimeSampler = "squares_here" {
            /// Factor on the times.
            pub factor: f64 = 1.0,
            /// Factor on their slope; 0: without.
            pub slope: f64 = 0.0,
            /// Numbers for each quantile.
            pub copies: i64 = 1,
            /// True for independent quantiles.
            pub independent: bool = true,
        }
    }

    impl Spec<dyn TimeSampler> for Squares {
        fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
            Ok(Box::new(self.clone()))
        }
    }

    impl TimeSampler for Squares {
        fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
            let at = (u.square() * self.factor).repeat([self.copies]);
            let slope = (self.slope != 0.0).then(|| u * self.slope);
            Ok(Quantiles { at, slope })
        }

        fn stratified(&self) -> Result<bool> {
            Ok(!self.independent)
        }
    }

    const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn times(spec: Squares) -> Result<Times> {
        Times::new(&spec.into(), &straight().unwrap(), OPTIONS)
    }

    #[test]
    fn quantiles_are_drawn_independently_or_one_in_each_equal_interval() {
        for independent in [true, false] {
            let times = times(Squares { independent, ..Squares::default() }).unwrap();
            let _stream = seed_torch(3, Purpose::Train, 0);
            let path = straight().unwrap();
            let (point, factor) = times.draw(BatchRows::whole(64), &path).unwrap();
            assert!(factor.is_none());
            drop(_stream);
            let _stream = seed_torch(3, Purpose::Train, 0);
            let u = Tensor::rand([64], OPTIONS);
            let u = if independent { u } else { (Tensor::arange(64, OPTIONS) + u) / 64.0 };
            assert!(point.t.equal(&u.square()), "{independent}");
        }
    }

    #[test]
    fn parts_of_a_batch_have_the_strata_of_the_whole() {
        let times = times(Squares { independent: false, ..Squares::default() }).unwrap();
        let (_stream, path) = (seed_torch(3, Purpose::Train, 0), straight().unwrap());
        for (from, rows) in [(0, 10), (10, 6)] {
            let (point, _) = times.draw(BatchRows { from, rows, of: 16 }, &path).unwrap();
            let strata = (point.t.sqrt() * 16.0).floor();
            assert!(strata.equal(&Tensor::arange_start(from, from + rows, OPTIONS)), "{from}");
        }
    }

    #[test]
    fn a_distribution_keeps_the_loss_if_it_is_uniform_or_has_a_slope() {
        let keeps = |slope| times(Squares { slope, ..Squares::default() }).unwrap().keep_the_loss();
        assert!(keeps(2.0) && !keeps(0.0));
    }

    #[test]
    fn a_sampler_without_sound_times_is_refused() {
        let error = |spec| times(spec).err().unwrap().to_string();
        for (spec, expected) in [
            (Squares { copies: 2, ..Squares::default() }, "gives [2000] for 1000 quantiles"),
            (Squares { factor: 2.0, ..Squares::default() }, "times are not within [0, 1]"),
            (Squares { factor: 1e300, ..Squares::default() }, "times are not within [0, 1]"),
            (Squares { factor: 0.0, ..Squares::default() }, "times do not rise"),
            (Squares { slope: -1.0, ..Squares::default() }, "the weight of the errors is not"),
        ] {
            let error = error(spec);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
