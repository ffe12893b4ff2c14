//! Precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991), density and coverage (Naeem
//! et al. 2020, arXiv 2002.09797): shares of one sample that lie within the manifold of another.
//! The manifold of a sample is the union of closed balls about its points, each with the distance
//! to the point's k-th nearest other point as radius. All four depend on the relative scale of the
//! dimensions.

use super::{Points, pairs, same_dim};
use crate::{Error, Result};
use std::sync::Arc;

/// The k of precision and recall, as in the paper.
pub const PRECISION_K: usize = 3;
/// The k of density and coverage, as in the paper.
pub const DENSITY_K: usize = 5;

/// A sample with a ball about each of its points.
#[derive(Clone, Debug)]
pub struct Manifold<'a> {
    points: Points<'a>,
    k: usize,
    /// Squared radius of each ball, in the order of the points.
    squared_radii: Arc<[f64]>,
}

impl<'a> Manifold<'a> {
    /// The manifold of `points` with balls that reach the `k`-th nearest other point. Takes n² time
    /// and n memory.
    ///
    /// # Errors
    /// [`Error::Runtime`] unless `k` is at least 1 and less than the number of points.
    pub fn new(points: Points<'a>, k: usize) -> Result<Self> {
        if k == 0 || points.len() <= k {
            return Err(Error::runtime(format!(
                "a manifold of {k} nearest neighbours needs at least one neighbour, and more points \
                 than neighbours: there are {}",
                points.len()
            )));
        }
        let mut squared_radii = Vec::with_capacity(points.len());
        pairs::rows(points, points, |i, distances| {
            distances[i] = f64::INFINITY;
            squared_radii.push(*distances.select_nth_unstable_by(k - 1, f64::total_cmp).1);
        });
        Ok(Manifold { points, k, squared_radii: squared_radii.into() })
    }

    /// The manifold of `points` with the radii that another had.
    pub(super) fn with_radii(points: Points<'a>, k: usize, squared_radii: Arc<[f64]>) -> Self {
        Manifold { points, k, squared_radii }
    }

    /// Squared radius of each ball, in the order of the points.
    pub(super) fn squared_radii(&self) -> &Arc<[f64]> {
        &self.squared_radii
    }
}

/// Precision and recall of generated points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// Share of generated points within the manifold of the real points, in \[0, 1\].
    pub precision: f64,
    /// Share of real points within the manifold of the generated points, in \[0, 1\].
    pub recall: f64,
}

/// Precision and recall of generated points. The samples may differ in size.
///
/// # Errors
/// [`Error::Runtime`] for points of different dimensions.
pub fn precision_recall(real: &Manifold, generated: &Manifold) -> Result<PrecisionRecall> {
    same_dim(real.points, generated.points)?;
    let mut reached = vec![false; real.points.len()];
    let mut precise = 0;
    pairs::rows(generated.points, real.points, |j, distances| {
        let mut inside = false;
        for ((d, radius), reached) in distances.iter().zip(&*real.squared_radii).zip(&mut reached) {
            inside |= d <= radius;
            *reached |= *d <= generated.squared_radii[j];
        }
        precise += usize::from(inside);
    });
    Ok(PrecisionRecall {
        precision: precise as f64 / generated.points.len() as f64,
        recall: share(&reached),
    })
}

/// Density and coverage of generated points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityCoverage {
    /// Mean number of real points' balls that hold a generated point, in units of k: about 1 where
    /// the distributions agree, 0 where they are disjoint, above 1 where generated points
    /// concentrate in the densest regions.
    pub density: f64,
    /// Share of real points whose ball holds a generated point, in \[0, 1\].
    pub coverage: f64,
}

/// Density and coverage of generated points. The samples may differ in size.
///
/// # Errors
/// [`Error::Runtime`] for points of different dimensions.
pub fn density_coverage(real: &Manifold, generated: Points) -> Result<DensityCoverage> {
    same_dim(real.points, generated)?;
    let mut covered = vec![false; real.points.len()];
    let mut held: u64 = 0;
    pairs::rows(generated, real.points, |_, distances| {
        for ((d, radius), covered) in distances.iter().zip(&*real.squared_radii).zip(&mut covered) {
            let inside = d <= radius;
            *covered |= inside;
            held += u64::from(inside);
        }
    });
    Ok(DensityCoverage {
        density: held as f64 / (real.k * generated.len()) as f64,
        coverage: share(&covered),
    })
}

fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|flag| **flag).count() as f64 / flags.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, cloud, flat, golden, points, shuffled};
    use super::*;

    fn both(
        real: &[f64],
        generated: &[f64],
        dim: usize,
        k: usize,
    ) -> (PrecisionRecall, DensityCoverage) {
        let (real, generated) = (points(real, dim), points(generated, dim));
        let manifold = Manifold::new(real, k).unwrap();
        let other = Manifold::new(generated, k).unwrap();
        (
            precision_recall(&manifold, &other).unwrap(),
            density_coverage(&manifold, generated).unwrap(),
        )
    }

    /// Points on a line, with one neighbour. The balls of the real points 0, 1, 3, 7 are \[-1, 1\],
    /// \[0, 2\], \[1, 5\], \[3, 11\]; those of the generated points 2, 2.5, 12 are \[1.5, 2.5\],
    /// \[2, 3\], \[2.5, 21.5\].
    #[test]
    fn points_on_a_line_agree_with_a_count_by_hand() {
        let (pr, dc) = both(&[0.0, 1.0, 3.0, 7.0], &[2.0, 2.5, 12.0], 1, 1);
        // 2 and 2.5 are inside, 12 is not; 3 and 7 are inside, 0 and 1 are not.
        close(pr.precision, 2.0 / 3.0);
        close(pr.recall, 2.0 / 4.0);
        // 2 is in two balls and 2.5 in one; the balls of 1 and 3 hold a generated point.
        close(dc.density, 3.0 / 3.0);
        close(dc.coverage, 2.0 / 4.0);
        // With two neighbours, [-3, 3], [-1, 3], [0, 6] and [1, 13] hold 2, 2, 2 and 3 of the
        // generated points.
        let (_, dc) = both(&[0.0, 1.0, 3.0, 7.0], &[2.0, 2.5, 12.0], 1, 2);
        close(dc.density, 9.0 / (2.0 * 3.0));
        close(dc.coverage, 1.0);
    }

    #[test]
    fn a_sample_is_precise_about_itself_and_covers_itself_in_any_order() {
        for (dim, k) in [(1, 3), (2, 5), (7, 1)] {
            let x = cloud(200, dim, 2.0, 3);
            let (pr, dc) = both(&x, &shuffled(&x, dim, 4), dim, k);
            assert_eq!((pr.precision, pr.recall, dc.coverage), (1.0, 1.0, 1.0));
            // Each ball holds its own point and k others.
            close(dc.density, (k as f64 + 1.0) / k as f64);
        }
    }

    #[test]
    fn samples_far_apart_share_nothing() {
        let x = cloud(100, 2, 1.0, 5);
        let far: Vec<f64> = cloud(80, 2, 1.0, 6).iter().map(|v| v + 100.0).collect();
        let (pr, dc) = both(&x, &far, 2, 3);
        assert_eq!((pr.precision, pr.recall), (0.0, 0.0));
        assert_eq!((dc.density, dc.coverage), (0.0, 0.0));
    }

    #[test]
    fn one_place_alone_is_precise_but_recalls_and_covers_little() {
        let x = cloud(1000, 2, 1.0, 7);
        let (pr, dc) = both(&x, &cloud(1000, 2, 0.2, 8), 2, 5);
        assert!(pr.precision == 1.0 && dc.density > 0.9, "{pr:?} {dc:?}");
        assert!(pr.recall < 0.1 && dc.coverage < 0.1, "{pr:?} {dc:?}");
        // With the samples exchanged, so are precision and recall.
        let (turned, _) = both(&cloud(1000, 2, 0.2, 8), &x, 2, 5);
        assert_eq!((turned.precision, turned.recall), (pr.recall, pr.precision));
    }

    /// With two samples of n points of one distribution, density is 1 on average. A real point is
    /// not covered where the k nearest of all 2n - 1 other points are real, so coverage is near 1 -
    /// 2^-k.
    #[test]
    fn samples_of_one_distribution_score_what_theory_says() {
        let n = 400;
        let runs = 40;
        let (mut density, mut coverage) = (0.0, 0.0);
        for seed in 0..runs {
            let (x, y) = (cloud(n, 2, 1.0, 2 * seed), cloud(n, 2, 1.0, 2 * seed + 1));
            let (_, dc) = both(&x, &y, 2, 5);
            density += dc.density / runs as f64;
            coverage += dc.coverage / runs as f64;
        }
        let missed: f64 = (0..5).map(|i| (n - 1 - i) as f64 / (2 * n - 1 - i) as f64).product();
        assert!((density - 1.0).abs() < 0.02, "{density}");
        assert!((coverage - (1.0 - missed)).abs() < 0.005, "{coverage} {missed}");
    }

    /// Reference values from the package `prdc` of Naeem et al. for the golden points.
    #[test]
    fn the_authors_own_code_finds_the_same() {
        let golden = golden();
        let (x, y) = (flat(&golden["X"]), flat(&golden["Y"]));
        for (k, precision, recall, density, coverage) in [
            (1, 1.0, 0.2857142857142857, 1.4285714285714286, 0.5714285714285714),
            (2, 1.0, 0.8571428571428571, 1.4285714285714286, 1.0),
            (3, 1.0, 1.0, 1.1428571428571428, 1.0),
            (5, 1.0, 1.0, 1.0, 1.0),
        ] {
            let (pr, dc) = both(&x, &y, 2, k);
            close(pr.precision, precision);
            close(pr.recall, recall);
            close(dc.density, density);
            close(dc.coverage, coverage);
        }
    }

    #[test]
    fn what_has_no_neighbours_is_refused() {
        let values = [0.0; 6];
        let message = |k| Manifold::new(points(&values, 2), k).unwrap_err().to_string();
        assert!(message(3).contains("there are 3"), "{}", message(3));
        assert!(message(0).contains("at least one neighbour"));
        let plane = Manifold::new(points(&values, 2), 1).unwrap();
        let line = Manifold::new(points(&values, 1), 1).unwrap();
        assert!(precision_recall(&plane, &line).is_err());
        assert!(density_coverage(&plane, points(&values, 3)).is_err());
    }
}
