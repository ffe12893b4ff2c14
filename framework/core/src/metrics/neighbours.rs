use super::{Points, pairs, same_dim};
use crate::{Error, Result};

/// Number of neighbours of the classifier that judges labelled samples.
pub const REFEREE_K: usize = 5;

/// Share of each of the `classes` among `labels`, all below `classes`.
pub fn class_shares(labels: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0usize; classes];
    for label in labels {
        counts[*label] += 1;
    }
    counts.into_iter().map(|n| n as f64 / labels.len() as f64).collect()
}

/// The k-nearest-neighbour classifier (Cover and Hart 1967), as a judge of labelled samples: fitted
/// on real points, it agrees with the label of a generated point if the point lies among real
/// points of that label. It is only as accurate as neighbours separate the classes, so its
/// agreement on held-out real points is the reference value.
#[derive(Clone, Debug)]
pub struct NearestNeighbours<'a> {
    points: Points<'a>,
    labels: &'a [usize],
    k: usize,
}

impl<'a> NearestNeighbours<'a> {
    /// A classifier by `points`, a label for each, and the number `k` of neighbours that vote.
    ///
    /// # Errors
    /// [`Error::Runtime`] unless there is one label a point and `k` is from 1 to the number of
    /// points.
    pub fn new(points: Points<'a>, labels: &'a [usize], k: usize) -> Result<Self> {
        check_labels(points, labels)?;
        if k == 0 || k > points.len() {
            return Err(Error::runtime(format!(
                "a vote of {k} neighbours is not possible among {} points",
                points.len()
            )));
        }
        Ok(NearestNeighbours { points, labels, k })
    }

    /// Predicts for each point the label of most neighbours, and on ties that of the nearest of
    /// them. Of points at equal distance the earlier ones count.
    ///
    /// # Errors
    /// [`Error::Runtime`] for points of another dimension.
    pub fn classify(&self, queries: Points) -> Result<Vec<usize>> {
        self.vote(queries, false)
    }

    /// Share of points whose given label is predicted, in \[0, 1\].
    ///
    /// # Errors
    /// [`Error::Runtime`] unless there is one label a point, of the classifier's dimension.
    pub fn agreement(&self, queries: Points, labels: &[usize]) -> Result<f64> {
        check_labels(queries, labels)?;
        Ok(agreement_of(&self.classify(queries)?, labels))
    }

    /// Share of the classifier's own points whose label is predicted from the other points, in \[0,
    /// 1\].
    ///
    /// # Errors
    /// [`Error::Runtime`] where there are not more points than neighbours.
    pub fn agreement_without_self(&self) -> Result<f64> {
        if self.k >= self.points.len() {
            return Err(Error::runtime(format!(
                "a vote of {} neighbours is not possible among {} other points",
                self.k,
                self.points.len() - 1
            )));
        }
        Ok(agreement_of(&self.vote(self.points, true)?, self.labels))
    }

    fn vote(&self, queries: Points, without_self: bool) -> Result<Vec<usize>> {
        same_dim(self.points, queries)?;
        let mut predicted = Vec::with_capacity(queries.len());
        // The nearest points so far, by increasing distance.
        let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(self.k + 1);
        pairs::rows(queries, self.points, |i, distances| {
            if without_self {
                distances[i] = f64::INFINITY;
            }
            nearest.clear();
            let mut farthest = f64::INFINITY;
            for (d, label) in distances.iter().zip(self.labels) {
                if *d < farthest || nearest.len() < self.k {
                    let at = nearest.partition_point(|(other, _)| other <= d);
                    nearest.insert(at, (*d, *label));
                    nearest.truncate(self.k);
                    if let (true, Some((last, _))) = (nearest.len() == self.k, nearest.last()) {
                        farthest = *last;
                    }
                }
            }
            predicted.push(winner(&nearest));
        });
        Ok(predicted)
    }
}

/// Label with most votes; the first of those on a tie.
fn winner(nearest: &[(f64, usize)]) -> usize {
    let votes = |label: usize| nearest.iter().filter(|(_, other)| *other == label).count();
    let mut best = (0, 0);
    for (_, label) in nearest {
        let votes = votes(*label);
        if votes > best.0 {
            best = (votes, *label);
        }
    }
    best.1
}

fn agreement_of(predicted: &[usize], labels: &[usize]) -> f64 {
    predicted.iter().zip(labels).filter(|(a, b)| a == b).count() as f64 / labels.len() as f64
}

fn check_labels(points: Points, labels: &[usize]) -> Result<()> {
    if points.len() == labels.len() {
        return Ok(());
    }
    let message =
        format!("{} labels for {} points; there must be one each", labels.len(), points.len());
    Err(Error::runtime(message))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cloud, points};
    use super::*;

    #[test]
    fn votes_on_a_line_agree_with_a_count_by_hand() {
        let (real, labels) = ([0.0, 1.0, 2.0, 10.0, 11.0], [0, 0, 1, 1, 1]);
        let classes = |k, queries: &[f64]| {
            let referee = NearestNeighbours::new(points(&real, 1), &labels, k).unwrap();
            referee.classify(points(queries, 1)).unwrap()
        };
        assert_eq!(classes(1, &[0.4, 1.9, 5.9, 6.1, 12.0]), [0, 1, 1, 1, 1]);
        assert_eq!(classes(3, &[0.4, 1.9, 6.1]), [0, 0, 1]);
        // A tie of two goes to the nearer one, at equal distance to the earlier.
        assert_eq!(classes(2, &[1.4, 1.6, 1.5]), [0, 1, 0]);
        // All five vote.
        assert_eq!(classes(5, &[0.0]), [1]);
    }

    #[test]
    fn agreement_counts_the_labels_asked_for() {
        let (real, labels) = ([0.0, 1.0, 2.0, 10.0, 11.0], [0, 0, 1, 1, 1]);
        let referee = NearestNeighbours::new(points(&real, 1), &labels, 1).unwrap();
        let agreement =
            |given: &[usize]| referee.agreement(points(&[0.4, 1.9, 9.0], 1), given).unwrap();
        assert_eq!(
            (agreement(&[0, 1, 1]), agreement(&[1, 0, 0]), agreement(&[0, 0, 0])),
            (1.0, 0.0, 1.0 / 3.0)
        );
        // Each point is its own neighbour. Without itself, 2 has the neighbour 1, of another label.
        assert_eq!(referee.agreement(points(&real, 1), &labels).unwrap(), 1.0);
        assert_eq!(referee.agreement_without_self().unwrap(), 4.0 / 5.0);
    }

    #[test]
    fn it_finds_the_neighbours_that_sorting_finds() {
        let (real, queries) = (cloud(300, 3, 1.0, 1), cloud(50, 3, 1.0, 2));
        let (real, queries) = (points(&real, 3), points(&queries, 3));
        let labels: Vec<usize> = (0..300).map(|i| i % 4).collect();
        let referee = NearestNeighbours::new(real, &labels, 7).unwrap();
        let distance =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
        let plain = |row: &[f64]| {
            let mut order: Vec<usize> = (0..300).collect();
            order.sort_by(|i, j| {
                distance(row, real.row(*i)).total_cmp(&distance(row, real.row(*j)))
            });
            let votes: Vec<usize> = order[..7].iter().map(|i| labels[*i]).collect();
            let count = |label: usize| votes.iter().filter(|v| **v == label).count();
            let most = votes.iter().map(|v| count(*v)).max().unwrap();
            *votes.iter().find(|v| count(**v) == most).unwrap()
        };
        let expected: Vec<usize> = queries.rows().map(plain).collect();
        assert_eq!(referee.classify(queries).unwrap(), expected);
    }

    #[test]
    fn classes_far_apart_are_told_apart_and_mixed_ones_are_not() {
        let mut real = cloud(200, 2, 1.0, 3);
        real.iter_mut().skip(200).for_each(|v| *v += 10.0);
        let labels: Vec<usize> = (0..200).map(|i| i / 100).collect();
        let referee = NearestNeighbours::new(points(&real, 2), &labels, REFEREE_K).unwrap();
        assert_eq!(referee.agreement_without_self().unwrap(), 1.0);
        let mixed: Vec<usize> = (0..200).map(|i| i % 2).collect();
        let referee = NearestNeighbours::new(points(&real, 2), &mixed, REFEREE_K).unwrap();
        let chance = referee.agreement_without_self().unwrap();
        assert!((chance - 0.5).abs() < 0.15, "{chance}");
    }

    #[test]
    fn what_cannot_vote_is_refused() {
        let values = [0.0; 6];
        let (plane, labels) = (points(&values, 2), [0, 1, 0]);
        assert!(NearestNeighbours::new(plane, &labels[..2], 1).is_err());
        assert!(NearestNeighbours::new(plane, &labels, 0).is_err());
        assert!(NearestNeighbours::new(plane, &labels, 4).is_err());
        let all = NearestNeighbours::new(plane, &labels, 3).unwrap();
        assert!(all.agreement_without_self().unwrap_err().to_string().contains("2 other points"));
        assert!(all.classify(points(&values, 3)).is_err());
        assert!(all.agreement(plane, &labels[..1]).is_err());
    }
}
