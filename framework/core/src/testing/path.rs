use super::expect::{close, ensure, finite, layout};
use super::seeds::repeatable;
use super::{Check, Conformance, Kit};
use crate::component::{GaussianPath, NoiseSchedule, PathPoint};
use crate::error::Result;
use crate::path::{Clock, Path};
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn GaussianPath>());

impl Conformance for dyn GaussianPath {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "shape",
            about: "coefficients, their rates, log-SNR, its derivative and its inverse keep the \
                    shape and the precision of the times",
            run: shape,
        },
        Check {
            name: "finite",
            about: "a and b are finite and not negative, both ends included, and not 0 inside",
            run: coefficients_finite,
        },
        Check { name: "increasing", about: "log-SNR rises from t = 0 to t = 1", run: increasing },
        Check {
            name: "rows_independent",
            about: "the point at one time does not depend on the other times of the batch",
            run: rows_independent,
        },
        Check {
            name: "rates",
            about: "rates are the slopes of a and b in time and in log-SNR, and gamma_prime is that \
                    of log-SNR",
            run: rates,
        },
        Check { name: "inverse", about: "time_of is the inverse of log-SNR", run: inverse },
        Check {
            name: "log_snr",
            about: "the log-SNR of the coefficients is 2 ln(a/b), and those at a log-SNR are those \
                    at its time",
            run: log_snr,
        },
        Check {
            name: "range",
            about: "bounded and gamma_range tell the log-SNR at the ends, as far as it is finite",
            run: range,
        },
        Check {
            name: "start",
            about: "sampling starts with the size of the noise at t = 0, or that of noise and data \
                    of deviation 1",
            run: start,
        },
        Check {
            name: "input_scale",
            about: "the factor for the network's input is finite and above 0",
            run: input_scale,
        },
        Check {
            name: "same_seed",
            about: "built twice with one seed, it is the same bit for bit",
            run: |component| {
                repeatable(|| {
                    let path = build(component)?;
                    let point = path.at(&times(9, DType::Double))?;
                    let (a_rate, b_rate) = point.rates(Clock::Time)?;
                    Ok(vec![point.gamma(), point.gamma_prime()?, a_rate, b_rate, point.a, point.b])
                })
            },
        },
    ];
    const STARTER: &'static str = include_str!("starters/path.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        build(component).map(|_| ())
    }
}

/// The schedule for paths that follow one: log-SNR that is linear in time, from −5 to 5.
struct Linear;

impl NoiseSchedule for Linear {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t * 10.0 - 5.0)
    }
}

fn build(component: &Component<dyn GaussianPath>) -> Result<Path> {
    Path::build(component, Some(Box::new(Linear)), Device::Cpu)
}

/// `batch` times away from the ends, where a rate may be infinite.
fn times(batch: i64, kind: DType) -> Tensor {
    (Tensor::arange(batch, (kind, Device::Cpu)) + 0.37) / batch as f64 * 0.96 + 0.02
}

fn shape(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    for kind in [DType::Float, DType::Double] {
        for batch in [1, 7] {
            let t = times(batch, kind);
            let point = path.at(&t)?;
            let keeps = |what: &str, found: &Tensor| layout(what, found, &[batch], &t);
            keeps("a", &point.a)?;
            keeps("b", &point.b)?;
            keeps("log-SNR", &point.gamma())?;
            keeps("gamma_prime", &point.gamma_prime()?)?;
            keeps("time_of", &path.time_of(&point.gamma())?)?;
            for clock in [Clock::Time, Clock::Gamma] {
                let (a, b) = point.rates(clock)?;
                keeps("the rate of a", &a)?;
                keeps("the rate of b", &b)?;
            }
            if let Some(scale) = point.input_scale()? {
                keeps("input_scale", &scale)?;
            }
        }
    }
    Ok(())
}

fn coefficients_finite(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let point = path.at(&Tensor::linspace(0.0, 1.0, 1001, (DType::Double, Device::Cpu)))?;
    for (name, values) in [("a", &point.a), ("b", &point.b)] {
        finite(&format!("{name} on [0, 1]"), values)?;
        let least = values.min().double_value(&[]);
        ensure(least >= 0.0, || format!("{name} is {least:.3e} somewhere, expected 0 or above"))?;
        let inside = values.narrow(0, 1, 999).min().double_value(&[]);
        ensure(inside > 0.0, || format!("{name} is 0 inside (0, 1)"))?;
    }
    Ok(())
}

fn increasing(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let gamma = path.at(&times(1000, DType::Double))?.gamma();
    let least = gamma.diff::<Tensor>(1, -1, None, None).min().double_value(&[]);
    ensure(least > 0.0, || {
        format!("log-SNR changes by {least:.2e} between two of 1,000 times, expected to rise")
    })
}

fn rows_independent(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let together = path.at(&times(5, DType::Double))?;
    for i in 0..5 {
        let alone = path.at(&together.t.narrow(0, i, 1))?;
        for (name, together, alone) in [("a", &together.a, &alone.a), ("b", &together.b, &alone.b)]
        {
            let what = format!("{name} at time {i}, against the time alone,");
            close(&what, &together.narrow(0, i, 1), alone, 1e-12)?;
        }
    }
    Ok(())
}

fn rates(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let (t, h) = (times(37, DType::Double), 1e-5);
    let (before, at, after) = (path.at(&(&t - h))?, path.at(&t)?, path.at(&(&t + h))?);
    let slope = |of: fn(&PathPoint<'_>) -> Tensor| (of(&after) - of(&before)) / (2.0 * h);
    let gamma_prime = slope(|p| p.gamma());
    close("gamma_prime, against the slope of log-SNR,", &at.gamma_prime()?, &gamma_prime, 1e-5)?;
    let (a, b) = (slope(|p| p.a.shallow_clone()), slope(|p| p.b.shallow_clone()));
    let (a_rate, b_rate) = at.rates(Clock::Time)?;
    close("the rate of a in time, against its slope,", &a_rate, &a, 1e-5)?;
    close("the rate of b in time, against its slope,", &b_rate, &b, 1e-5)?;
    let (a_rate, b_rate) = at.rates(Clock::Gamma)?;
    close("the rate of a in log-SNR, against its slope,", &a_rate, &(a / &gamma_prime), 1e-5)?;
    close("the rate of b in log-SNR, against its slope,", &b_rate, &(b / &gamma_prime), 1e-5)
}

fn inverse(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let t = times(37, DType::Double);
    let back = path.time_of(&path.at(&t)?.gamma())?;
    close("time_of(gamma(t)), against t,", &back, &t, 1e-6)
}

fn log_snr(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let point = path.at(&times(37, DType::Double))?;
    let gamma = (point.a.log() - point.b.log()) * 2.0;
    close("log-SNR, against 2 ln(a/b),", &point.gamma(), &gamma, 1e-6)?;
    let again = path.at_clocks(point.gamma(), Clock::Gamma)?;
    close("a at a log-SNR, against a at its time,", &again.a, &point.a, 1e-6)?;
    close("b at a log-SNR, against b at its time,", &again.b, &point.b, 1e-6)
}

fn range(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let ends = path.at(&Tensor::from_slice(&[0.0, 1.0]))?.gamma();
    let ends = (ends.double_value(&[0]), ends.double_value(&[1]));
    let finite = ends.0.is_finite() && ends.1.is_finite();
    ensure(path.bounded() == finite, || {
        format!("bounded is {}, but log-SNR goes from {} to {}", path.bounded(), ends.0, ends.1)
    })?;
    let (low, high) = path.gamma_range()?;
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-6 * (1.0 + y.abs());
    let holds = match finite {
        true => near(low, ends.0) && near(high, ends.1),
        false => ends.0 <= low && low < high && high <= ends.1,
    };
    ensure(holds && low.is_finite() && high.is_finite(), || {
        format!("gamma_range is ({low}, {high}), but log-SNR goes from {} to {}", ends.0, ends.1)
    })
}

/// Relative slack of the start, as the data at t = 0 may count or not.
const SLACK: f64 = 0.05;

fn start(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let point = path.at(&Tensor::from_slice(&[0.0]))?;
    let (a, b) = (point.a.double_value(&[0]), point.b.double_value(&[0]));
    let (scale, most) = (path.start_scale()?, a.hypot(b));
    ensure(b * (1.0 - SLACK) <= scale && scale <= most * (1.0 + SLACK), || {
        format!("start_scale is {scale}, expected from b = {b:.4} to √(a² + b²) = {most:.4}")
    })
}

fn input_scale(component: &Component<dyn GaussianPath>) -> Result<()> {
    let path = build(component)?;
    let point = path.at(&Tensor::linspace(0.0, 1.0, 101, (DType::Double, Device::Cpu)))?;
    let Some(scale) = point.input_scale()? else { return Ok(()) };
    finite("input_scale on [0, 1]", &scale)?;
    let least = scale.min().double_value(&[]);
    ensure(least > 0.0, || format!("input_scale is {least:.3e} somewhere, expected above 0"))
}
