use super::Fault;
use crate::prelude::*;

triflow::component! {
    /// Times denser near the noise, with their slope, unless it has a fault.
    pub struct Twin: TimeSampler = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Bent {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn TimeSampler> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Bent { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl TimeSampler for Bent {
    fn quantiles(&self, u: &Tensor, ends: &Tensor) -> Result<Quantiles> {
        let fault = &self.fault;
        if fault.is("no_draws") {
            let _ = u.rand_like();
        }
        let unit = (u + u.square()) * 0.5 * (1.0 - self.drift);
        let slope = u + 0.5;
        if self.clock()? == Clock::Gamma {
            // Normal log-SNRs, without a look at the ends.
            return Ok(Quantiles::new(u.special_ndtri() * 3.0));
        }
        Ok(match () {
            () if fault.is("shape") => Quantiles::with_slope(unit.unsqueeze(1), slope),
            () if fault.is("slope_of_two") => {
                Quantiles::with_slope(unit, slope.narrow(0, 0, 1).repeat([2]))
            }
            () if fault.is("between_ends") => Quantiles::new(unit * 1.1),
            () if fault.is("infinite") => Quantiles::new(unit / u.lt(0.9).to_kind(u.kind())),
            () if fault.is("increasing") => Quantiles::new(1.0 - unit),
            () if fault.is("constant") => Quantiles::new(u * 0.0 + 0.5),
            () if fault.is("slope") => Quantiles::with_slope(unit, slope * 1.1),
            () if fault.is("falling_slope") => Quantiles::with_slope(unit, -slope),
            () if fault.is("half_the_clock") => Quantiles::with_slope(unit * 0.5, slope * 0.5),
            () if fault.is("rows_independent") => Quantiles::new(unit * 0.9 + u.mean(None) * 0.1),
            () => Quantiles::with_slope(unit * (ends.get(1) - ends.get(0)) + ends.get(0), slope),
        })
    }

    fn clock(&self) -> Result<Clock> {
        Ok(if self.fault.is("beyond_log_snr") { Clock::Gamma } else { Clock::Time })
    }
}
