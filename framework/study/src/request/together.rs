//! Rows that are about to be drawn, of one request or of several at once.

use crate::error::{Error, Result};
use crate::inference::{Lengths, Prediction};
use crate::rng::Streams;
use crate::trained::Trained;
use tch::Tensor;

/// A request that was checked, and whose rows are still to be drawn.
pub trait Planned: Sized {
    /// Result of the request.
    type Drawn;

    /// Number of rows to draw, each as often as it is asked for.
    fn rows(&self) -> i64;

    /// True if this request and another can be drawn at once, each row with the values that it has
    /// alone, up to the rounding of matrix products. An adaptive solver chooses its steps by all
    /// rows, and a stochastic one that begins at z_0 = 0 draws its noise by the place of a row.
    ///
    /// # Errors
    /// Errors of the solver.
    fn joins(&self, other: &Self, model: &Trained) -> Result<bool>;

    /// Draws the rows of all requests at once; their results have the order of the requests.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): a component fails.
    fn draw_all(all: &[&Self], model: &mut Trained) -> Result<Vec<Self::Drawn>>;
}

/// Rows to draw.
#[derive(Debug)]
pub(super) struct Draw {
    /// Number of rows.
    pub n: i64,
    /// Conditions `[n, …]`, labels `[n]`; `None` without conditions.
    pub conditions: Option<Tensor>,
    /// Lengths of sequences.
    pub lengths: Lengths,
    /// Random streams of the rows; `None`: z_0 = 0.
    pub streams: Option<Streams>,
    /// Number of draws of each row.
    pub draws: u64,
}

impl Draw {
    /// The lengths of the rows.
    pub fn lengths(&self) -> Lengths {
        let same = |of: &Option<Tensor>| of.as_ref().map(Tensor::shallow_clone);
        Lengths { condition: same(&self.lengths.condition), target: same(&self.lengths.target) }
    }

    /// True if the rows of both can be drawn at once.
    pub fn joins(&self, other: &Self, model: &Trained) -> Result<bool> {
        let row = |t: &Option<Tensor>| t.as_ref().map(|t| (t.kind(), t.size().split_off(1)));
        let lengths = |of: &Lengths| (of.condition.is_some(), of.target.is_some());
        let alike = row(&self.conditions) == row(&other.conditions)
            && lengths(&self.lengths) == lengths(&other.lengths)
            && self.streams.is_some() == other.streams.is_some()
            && self.draws == other.draws;
        if !alike {
            return Ok(false);
        }
        let solver = model.experiment().sampling.build_solver()?;
        Ok(!solver.adaptive()? && (self.streams.is_some() || !solver.stochastic()?))
    }

    /// The rows of all, which fit together.
    pub fn joined(all: &[&Self]) -> Result<Self> {
        let join = |of: &dyn Fn(&Self) -> Option<&Tensor>| {
            let parts: Vec<&Tensor> = all.iter().filter_map(|draw| of(draw)).collect();
            match &parts[..] {
                [] => None,
                [only] => Some(only.shallow_clone()),
                parts => Some(Tensor::cat(parts, 0)),
            }
        };
        let streams = match all {
            [only] => only.streams.clone(),
            _ => {
                let mut rows = Vec::new();
                for draw in all {
                    for i in 0..draw.n as usize {
                        rows.extend(draw.streams.as_ref().map(|s| s.at(i)).transpose()?);
                    }
                }
                (!rows.is_empty()).then(|| Streams::given(rows))
            }
        };
        Ok(Self {
            n: all.iter().map(|draw| draw.n).sum(),
            conditions: join(&|draw| draw.conditions.as_ref()),
            lengths: Lengths {
                condition: join(&|draw| draw.lengths.condition.as_ref()),
                target: join(&|draw| draw.lengths.target.as_ref()),
            },
            streams,
            draws: all.first().map_or(1, |draw| draw.draws),
        })
    }

    /// Draws samples, `[n, …target_shape]`, with their random streams.
    pub fn samples(&self, model: &mut Trained) -> Result<Tensor> {
        match (&self.conditions, &self.streams) {
            (Some(rows), streams) => {
                model.generate_sequences(rows, &self.lengths, streams.as_ref())
            }
            (None, Some(streams)) => model.sample_from(self.n, None, streams),
            (None, None) => Err(Error::runtime("samples need random streams")),
        }
    }

    /// Predicts, with the deviation over the draws.
    pub fn predictions(&self, model: &mut Trained) -> Result<Prediction> {
        let x = self.conditions.as_ref().ok_or_else(|| Error::runtime("there is no x"))?;
        model.predict_sequences(x, &self.lengths, self.streams.as_ref(), self.draws)
    }
}

/// Checks that a request asks for at most `limit` rows, if there is a limit.
///
/// # Errors
/// [`Error::Config`] with both numbers where it does not.
pub(super) fn check_limit(rows: i64, limit: Option<i64>, what: &str) -> Result<()> {
    match limit {
        Some(limit) if rows > limit => {
            let message = format!("{rows} {what} are asked for, and at most {limit} are drawn");
            Err(Error::config("", message).help("ask for fewer, several times"))
        }
        _ => Ok(()),
    }
}

/// The rows of each draw among the rows of all.
pub(super) fn parts<'d>(draws: impl Iterator<Item = &'d Draw>) -> Vec<(i64, i64)> {
    let mut from = 0;
    let part = |draw: &Draw| {
        let part = (from, draw.n);
        from += draw.n;
        part
    };
    draws.map(part).collect()
}
