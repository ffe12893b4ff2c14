//! Gaussian data N(m, s²I), for which the best prediction and the end of the probability-flow ODE
//! are known in closed form. The exact prediction replaces the network.
#![allow(dead_code, reason = "not every test file uses all of it")]

use super::{objective, tensor};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use triflow::path::{Path, Reading};
use triflow::prelude::*;
use triflow::sample::{Predictor, PredictorField};
use triflow::tch::Kind;

/// The distribution N(m, s²I) of the data.
pub struct Data {
    pub m: Tensor,
    pub s: f64,
}

impl Data {
    pub fn of(golden: &Value) -> Self {
        Self { m: tensor(&golden["m"]), s: golden["s"].as_f64().unwrap() }
    }

    /// Variance V = a²s² + b² of z at a point of the path.
    pub fn variance(&self, point: &PathPoint<'_>) -> Tensor {
        point.a.square() * self.s.powi(2) + point.b.square()
    }

    /// The best predictions E[data | z] = m + a·s²·r and E[noise | z] = b·r, with r = (z −
    /// a·m)/V.
    pub fn prediction(&self, z: &Tensor, point: &PathPoint<'_>) -> (Tensor, Tensor) {
        let r = (z - rows(&point.a, z) * &self.m) / rows(&self.variance(point), z);
        let data = rows(&point.a, z) * self.s.powi(2) * &r + &self.m;
        (data, rows(&point.b, z) * r)
    }

    /// The exact end a·m + √(V/V_0)·(z0 − a_0·m) of the ODE from `z0`, between two points of
    /// the path.
    pub fn exact_end(&self, z0: &Tensor, from: &PathPoint<'_>, to: &PathPoint<'_>) -> Tensor {
        let stretch = (self.variance(to) / self.variance(from)).sqrt();
        &to.a * &self.m + stretch * (z0 - &from.a * &self.m)
    }
}

/// The exact output of an objective's network.
pub struct Exact<'g> {
    pub data: &'g Data,
    pub path: &'g Path,
    pub objective: Box<dyn Objective>,
}

impl<'g> Exact<'g> {
    /// The field of the objective `name` in equal steps of `clock`.
    pub fn field(data: &'g Data, path: &'g Path, name: &str, clock: Clock) -> PredictorField<Self> {
        PredictorField::of(Self { data, path, objective: objective(name) }, clock)
    }

    /// The field of the objective `name` on the step grid `grid` with its default parameters.
    pub fn on(data: &'g Data, path: &'g Path, name: &str, grid: &str) -> PredictorField<Self> {
        let grid = Component::named(grid).unwrap().build(&()).unwrap();
        PredictorField::on(Self { data, path, objective: objective(name) }, grid).unwrap()
    }
}

impl Predictor for Exact<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    fn output(&self, z: &Tensor, reading: &Reading<'_>) -> Result<Tensor> {
        let (data, noise) = self.data.prediction(z, reading.point());
        Ok(reading.target(&data, &noise))
    }
}

/// A schedule that memoises its times: one search serves all objectives and stages on the same
/// grid.
struct Remembering {
    schedule: Box<dyn NoiseSchedule>,
    times: RefCell<HashMap<u64, Tensor>>,
}

impl NoiseSchedule for Remembering {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        self.schedule.gamma(t)
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        self.schedule.gamma_prime(t)
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        if gamma.numel() != 1 {
            return self.schedule.time_of(gamma);
        }
        let key = gamma.double_value(&[0]).to_bits();
        if let Some(t) = self.times.borrow().get(&key) {
            return Ok(t.shallow_clone());
        }
        let t = self.schedule.time_of(gamma)?;
        self.times.borrow_mut().insert(key, t.shallow_clone());
        Ok(t)
    }
}

/// The path of a golden case, with memoised times.
pub fn path(case: &Value) -> Path {
    let name = case["schedule"].as_str().unwrap();
    if name == "rectified" {
        return super::rectified();
    }
    let schedule = super::schedule(name, &case["params"], false, Kind::Double).1;
    super::variance_preserving(Box::new(Remembering { schedule, times: RefCell::default() }))
}
