//! Points with results that several metrics share.

use super::{Manifold, Points, median_bandwidth};
use crate::error::Result;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Number of points on either side, at most, of metrics that sort or keep all pairs: the first
/// ones.
pub const PAIR_POINTS: usize = 5000;

/// Points with results that several metrics need of them, each computed once.
#[derive(Debug)]
pub struct PointSet<'a> {
    points: Points<'a>,
    /// Squared radii of manifolds, without the points: their type would fix the lifetime.
    radii: Memo<Option<Arc<[f64]>>>,
    median: OnceLock<Option<f64>>,
}

impl<'a> PointSet<'a> {
    /// The set of these points.
    pub fn new(points: Points<'a>) -> Self {
        Self { points, radii: Memo::default(), median: OnceLock::new() }
    }

    /// All points.
    pub fn points(&self) -> Points<'a> {
        self.points
    }

    /// The first [`PAIR_POINTS`] points.
    pub fn some(&self) -> Points<'a> {
        self.points.first(PAIR_POINTS)
    }

    /// The balls of [`some`](Self::some) up to the `k`-th nearest other point; `None` if there are
    /// too few points.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime) where `k` is 0.
    pub fn manifold(&self, k: usize) -> Result<Option<Manifold<'a>>> {
        let some = self.some();
        let radii = self.radii.get(k, || {
            let made = (some.len() > k).then(|| Manifold::new(some, k)).transpose()?;
            Ok(made.map(|made| Arc::clone(made.squared_radii())))
        })?;
        Ok(radii.map(|radii| Manifold::with_radii(some, k, radii)))
    }

    /// Median distance between two of [`some`](Self::some); `None` if it is not defined or 0.
    pub fn median_distance(&self) -> Option<f64> {
        *self.median.get_or_init(|| {
            let some = self.some();
            let (first, rest) = some.values().split_at(some.dim());
            let first = Points::new(first, some.dim()).ok()?;
            let rest = Points::new(rest, some.dim()).ok()?;
            median_bandwidth(first, rest).inspect_err(|e| log::debug!("no median: {e}")).ok()
        })
    }
}

/// Results by a number of neighbours.
#[derive(Debug)]
pub(crate) struct Memo<T>(Mutex<Vec<(usize, T)>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memo<T> {
    /// The result for `k`, by `make` the first time.
    pub(crate) fn get(&self, k: usize, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = all.iter().find(|(of, _)| *of == k) {
            return Ok(made.clone());
        }
        let made = make()?;
        all.push((k, made.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cloud, points};
    use super::*;

    #[test]
    fn a_result_is_computed_once_and_is_that_of_the_points() {
        let values = cloud(40, 2, 1.0, 1);
        let set = PointSet::new(points(&values, 2));
        let radii = |k| Arc::clone(set.manifold(k).unwrap().unwrap().squared_radii());
        assert!(Arc::ptr_eq(&radii(3), &radii(3)));
        let own = Manifold::new(points(&values, 2), 4).unwrap();
        assert_eq!(radii(4), *own.squared_radii());
        assert!(set.manifold(40).unwrap().is_none() && set.manifold(0).is_err());
        let median = median_bandwidth(points(&values[..2], 2), points(&values[2..], 2)).unwrap();
        assert_eq!(set.median_distance(), Some(median));
        assert_eq!(PointSet::new(points(&values[..2], 2)).median_distance(), None);
    }
}
