//! The loss terms of every epoch.

use crate::loss::TERMS;
use serde::{Deserialize, Serialize};

/// One epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// Steps taken by its end.
    pub step: u64,
    /// Mean over the rows of each loss term, in the order of [`TERMS`]; null where not measured.
    pub train: Vec<Option<f64>>,
    /// Likewise on the validation rows.
    pub val: Vec<Option<f64>>,
}

/// All epochs so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// Header and one line an epoch: `epoch,step,train_total,…,val_kl`.
    pub fn to_csv(&self) -> String {
        let names = |set: &str| TERMS.map(|t| format!("{set}_{t}")).join(",");
        let mut text = format!("epoch,step,{},{}\n", names("train"), names("val"));
        for e in &self.epochs {
            let cells =
                e.train.iter().chain(&e.val).map(|v| v.map_or_else(String::new, |v| v.to_string()));
            text += &format!("{},{},{}\n", e.epoch, e.step, cells.collect::<Vec<_>>().join(","));
        }
        text
    }

    /// As JSON: one list a term and set.
    pub fn to_json(&self) -> serde_json::Value {
        let list = |pick: &dyn Fn(&Epoch) -> &Vec<Option<f64>>, i: usize| {
            self.epochs.iter().map(|e| pick(e).get(i).copied().flatten()).collect::<Vec<_>>()
        };
        let set = |pick: &dyn Fn(&Epoch) -> &Vec<Option<f64>>| {
            TERMS
                .iter()
                .enumerate()
                .map(|(i, t)| ((*t).to_owned(), serde_json::json!(list(pick, i))))
                .collect::<serde_json::Map<_, _>>()
        };
        serde_json::json!({
            "epoch": self.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(),
            "step": self.epochs.iter().map(|e| e.step).collect::<Vec<_>>(),
            "train": set(&|e| &e.train),
            "val": set(&|e| &e.val),
        })
    }
}
