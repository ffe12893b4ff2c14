use crate::component::{Epoch, LossTerm, Restore};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Losses of all epochs so far, and the returns of a training that had diverged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs in order.
    pub epochs: Vec<Epoch>,
    /// Returns to an earlier state, in order; what was taken back is in no epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<Restore>,
}

impl History {
    /// The first epoch with the lowest value of a term: on the validation rows or, if it was never
    /// measured there, on the training rows.
    pub fn best(&self, term: LossTerm) -> Option<&Epoch> {
        let validated = self.epochs.iter().any(|e| e.val_term(term).is_some());
        let value = |e: &Epoch| if validated { e.val_term(term) } else { e.train_term(term) };
        let measured = self.epochs.iter().filter_map(|e| Some((e, value(e)?)));
        measured.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(epoch, _)| epoch)
    }

    /// CSV text with the header `epoch,step,train_total,…,val_kl,gradient_norm` and one line for
    /// each epoch; a cell is empty if its value was not measured.
    pub fn to_csv(&self) -> String {
        let names = |set: &str| LossTerm::ALL.map(|t| format!("{set}_{}", t.name())).join(",");
        let mut text = format!("epoch,step,{},{},gradient_norm\n", names("train"), names("val"));
        for e in &self.epochs {
            let values = e.train.iter().chain(&e.val).chain([&e.gradient_norm]);
            let cells = values.map(|v| v.map_or_else(String::new, |v| v.to_string()));
            text += &format!("{},{},{}\n", e.epoch, e.step, cells.collect::<Vec<_>>().join(","));
        }
        text
    }

    /// Checks that a training of `total` steps, `per_epoch` of them in each epoch, can have this
    /// history at `step`.
    pub(crate) fn check(&self, step: u64, per_epoch: u64, total: u64) -> Result<()> {
        let wrong = |what: String| Err(Error::runtime(format!("does not fit this run: {what}")));
        if step > total {
            return wrong(format!("it is at step {step}, but the run ends at step {total}"));
        }
        let ended = step == total && !step.is_multiple_of(per_epoch);
        let epochs = step / per_epoch + u64::from(ended);
        if self.epochs.len() as u64 != epochs {
            return wrong(format!(
                "its history has {} epochs, but at step {step} there are {epochs} \
                 of {per_epoch} steps",
                self.epochs.len()
            ));
        }
        for (number, e) in (1..).zip(&self.epochs) {
            let end = total.min(per_epoch.saturating_mul(number));
            if (e.epoch, e.step) != (number, end) {
                return wrong(format!(
                    "its history has epoch {} at step {}, but epoch {number} ends at step {end}",
                    e.epoch, e.step
                ));
            }
        }
        Ok(())
    }

    /// Parses the JSON of [`to_json`](Self::to_json); `None` if it is anything else.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        let (epochs, steps) = (json["epoch"].as_array()?, json["step"].as_array()?);
        let row = |set: &str, i: usize| -> Vec<Option<f64>> {
            LossTerm::ALL.iter().map(|term| json[set][term.name()][i].as_f64()).collect()
        };
        if epochs.len() != steps.len() {
            return None;
        }
        let epochs = epochs.iter().zip(steps).enumerate().map(|(i, (epoch, step))| {
            let (epoch, step) = (epoch.as_u64()?, step.as_u64()?);
            let (train, val) = (row("train", i), row("val", i));
            let gradient_norm = json["gradient_norm"][i].as_f64();
            Some(Epoch { epoch, step, train, val, gradient_norm })
        });
        let restores = match &json["restores"] {
            serde_json::Value::Null => Vec::new(),
            restores => serde_json::from_value(restores.clone()).ok()?,
        };
        Some(Self { epochs: epochs.collect::<Option<_>>()?, restores })
    }

    /// JSON object of lists over the epochs: `epoch`, `step`, `gradient_norm`, and each loss term
    /// under `train` and `val`, null where it was not measured; and the list `restores`, if it
    /// returned to an earlier state.
    pub fn to_json(&self) -> serde_json::Value {
        let set = |value: fn(&Epoch, LossTerm) -> Option<f64>| {
            let list = |term| self.epochs.iter().map(|e| value(e, term)).collect::<Vec<_>>();
            let lists = LossTerm::ALL.map(|t| (t.name().to_owned(), serde_json::json!(list(t))));
            serde_json::Map::from_iter(lists)
        };
        let mut json = serde_json::json!({
            "epoch": self.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(),
            "step": self.epochs.iter().map(|e| e.step).collect::<Vec<_>>(),
            "train": set(Epoch::train_term),
            "val": set(Epoch::val_term),
            "gradient_norm": self.epochs.iter().map(|e| e.gradient_norm).collect::<Vec<_>>(),
        });
        if !self.restores.is_empty() {
            json["restores"] = serde_json::json!(self.restores);
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::TERM_COUNT;

    #[test]
    fn a_history_fits_its_step() {
        let history = |steps: &[u64]| History {
            epochs: (1..)
                .zip(steps)
                .map(|(epoch, step)| Epoch { epoch, step: *step, ..Epoch::default() })
                .collect(),
            ..History::default()
        };
        // 25 steps, 10 in each epoch.
        let fits = |steps: &[u64], step| history(steps).check(step, 10, 25).is_ok();
        assert!(fits(&[], 0) && fits(&[], 9) && fits(&[10], 10) && fits(&[10, 20], 24));
        assert!(fits(&[10, 20, 25], 25));
        assert!(!fits(&[], 10) && !fits(&[10], 9) && !fits(&[10, 20], 25) && !fits(&[11], 12));
        let far = history(&[10, 20, 25]).check(u64::MAX, 10, 25).unwrap_err().to_string();
        let step = "18446744073709551615";
        assert_eq!(
            far,
            format!("does not fit this run: it is at step {step}, but the run ends at step 25")
        );
    }

    #[test]
    fn epochs_are_ranked_by_the_same_rows() {
        let best = |epochs: &[(f64, Option<f64>)]| {
            let epoch = |(i, (train, val)): (usize, &(f64, Option<f64>))| Epoch {
                epoch: i as u64 + 1,
                train: vec![Some(*train)],
                val: vec![*val],
                ..Epoch::default()
            };
            let epochs = epochs.iter().enumerate().map(epoch).collect();
            let history = History { epochs, ..History::default() };
            history.best(LossTerm::Total).map(|epoch| epoch.epoch)
        };
        assert_eq!(best(&[(2.0, None), (1.0, None), (1.0, None)]), Some(2));
        assert_eq!(best(&[(2.0, Some(9.0)), (3.0, Some(8.0))]), Some(2));
        // A loss on the training rows beats none on the validation rows.
        assert_eq!(best(&[(2.0, Some(9.0)), (1.0, None)]), Some(1));
        assert_eq!(best(&[(2.0, None), (3.0, Some(8.0))]), Some(2));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let row =
            |x: f64| (0..TERM_COUNT).map(|i| (i != 2).then(|| x / (i as f64 + 3.0))).collect();
        let epoch = |epoch| Epoch {
            epoch,
            step: 7 * epoch,
            train: row(epoch as f64),
            val: row(0.1),
            gradient_norm: (epoch > 1).then_some(epoch as f64 / 7.0),
        };
        let restores = vec![Restore { diverged: 12, step: 7, factor: 0.5 }];
        let history = History { epochs: (1..40).map(epoch).collect(), restores };
        let text = history.to_json().to_string();
        let json = serde_json::from_str(&text).unwrap();
        assert_eq!(History::from_json(&json), Some(history));
        assert_eq!(History::from_json(&serde_json::json!({})), None);
    }
}
