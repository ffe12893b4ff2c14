//! The k-nearest-neighbour classifier (Cover and Hart 1967), as a referee of labelled samples: it is fitted
//! on real points, so a generated point agrees with the label it was asked for where it lies among real
//! points of that label. It is only as good as neighbours tell classes apart: what held-out real points
//! reach is the level to compare with.

use super::{Points, pairs, same_dim};
use crate::{Error, Result};

/// Neighbours of the referee.
pub const REFEREE_K: usize = 5;

/// A classifier by the labels of the nearest points.
#[derive(Clone, Debug)]
pub struct NearestNeighbours<'a> {
    points: Points<'a>,
    labels: &'a [usize],
    k: usize,
}

impl<'a> NearestNeighbours<'a> {
    /// From points, a label for each, and the number of neighbours that vote, at least 1 and at most as
    /// many as there are points.
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

    /// The label of most neighbours for each point; of labels with equally many, that of the nearest
    /// neighbour among them. Of points equally far, the earlier ones count.
    pub fn classify(&self, asked: Points) -> Result<Vec<usize>> {
        self.vote(asked, false)
    }

    /// The share of points whose label the classifier finds too, in \[0, 1\].
    pub fn agreement(&self, asked: Points, labels: &[usize]) -> Result<f64> {
        check_labels(asked, labels)?;
        Ok(shared(&self.classify(asked)?, labels))
    }

    /// The share of its own points whose label it finds too when the point itself has no vote.
    pub fn agreement_without_self(&self) -> Result<f64> {
        if self.k >= self.points.len() {
            return Err(Error::runtime(format!(
                "a vote of {} neighbours is not possible among {} other points",
                self.k,
                self.points.len() - 1
            )));
        }
        Ok(shared(&self.vote(self.points, true)?, self.labels))
    }

    fn vote(&self, asked: Points, without_self: bool) -> Result<Vec<usize>> {
        same_dim(self.points, asked)?;
        let mut found = Vec::with_capacity(asked.len());
        // The nearest so far, from near to far.
        let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(self.k + 1);
        pairs::rows(asked, self.points, |i, distances| {
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
            found.push(winner(&nearest));
        });
        Ok(found)
    }
}

/// The label that occurs most, the first of those that occur equally often.
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

fn shared(found: &[usize], labels: &[usize]) -> f64 {
    found.iter().zip(labels).filter(|(a, b)| a == b).count() as f64 / labels.len() as f64
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
        let of = |k, asked: &[f64]| {
            let referee = NearestNeighbours::new(points(&real, 1), &labels, k).unwrap();
            referee.classify(points(asked, 1)).unwrap()
        };
        assert_eq!(of(1, &[0.4, 1.9, 5.9, 6.1, 12.0]), [0, 1, 1, 1, 1]);
        assert_eq!(of(3, &[0.4, 1.9, 6.1]), [0, 0, 1]);
        // A tie of two goes to the nearer one, at equal distance to the earlier.
        assert_eq!(of(2, &[1.4, 1.6, 1.5]), [0, 1, 0]);
        // All five vote.
        assert_eq!(of(5, &[0.0]), [1]);
    }

    #[test]
    fn agreement_counts_the_labels_asked_for() {
        let (real, labels) = ([0.0, 1.0, 2.0, 10.0, 11.0], [0, 0, 1, 1, 1]);
        let referee = NearestNeighbours::new(points(&real, 1), &labels, 1).unwrap();
        let of = |asked: &[usize]| referee.agreement(points(&[0.4, 1.9, 9.0], 1), asked).unwrap();
        assert_eq!((of(&[0, 1, 1]), of(&[1, 0, 0]), of(&[0, 0, 0])), (1.0, 0.0, 1.0 / 3.0));
        // Each point is its own neighbour, unless that is left out: 2 then has 1, of the other label.
        assert_eq!(referee.agreement(points(&real, 1), &labels).unwrap(), 1.0);
        assert_eq!(referee.agreement_without_self().unwrap(), 4.0 / 5.0);
    }

    #[test]
    fn it_finds_the_neighbours_that_sorting_finds() {
        let (real, asked) = (cloud(300, 3, 1.0, 1), cloud(50, 3, 1.0, 2));
        let (real, asked) = (points(&real, 3), points(&asked, 3));
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
        let expected: Vec<usize> = asked.rows().map(plain).collect();
        assert_eq!(referee.classify(asked).unwrap(), expected);
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
