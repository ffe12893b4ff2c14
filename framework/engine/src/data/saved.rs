//! Saved form of units.

use super::normaliser::Normaliser;
use super::quantiles::{Quantiles, Ties};
use super::units::{Names, Shapes, Units};
use crate::error::{Error, Result};
use crate::table::Scaling;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Saved form of the parts of [`Units`] that are no tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    shapes: Shapes,
    target_is_label: bool,
    condition_is_label: bool,
    #[serde(default)]
    names: Names,
}

impl Units {
    /// Saved form: tensors by name, and the rest as JSON.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the rest cannot be expressed in JSON.
    pub fn to_parts(&self) -> Result<(Vec<(String, Tensor)>, String)> {
        let mut tensors = Vec::new();
        for (side, normaliser) in [("target", &self.target), ("condition", &self.condition)] {
            tensors.push((format!("units.{side}.mean"), normaliser.mean.shallow_clone()));
            tensors.push((format!("units.{side}.deviation"), normaliser.deviation.shallow_clone()));
            if let Some(Quantiles { entries, knots, .. }) = normaliser.quantiles() {
                tensors.push((format!("units.{side}.quantile_entries"), entries.shallow_clone()));
                tensors.push((format!("units.{side}.quantiles"), knots.shallow_clone()));
            }
        }
        let header = Header {
            shapes: self.shapes.clone(),
            target_is_label: self.target_is_label,
            condition_is_label: self.condition_is_label,
            names: self.names.clone(),
        };
        let text = serde_json::to_string(&header).map_err(|e| Error::runtime(e.to_string()))?;
        Ok((tensors, text))
    }

    /// Restores units from the result of [`to_parts`](Self::to_parts), for a model of the given
    /// precision and device; `find` returns a tensor by its name.
    ///
    /// # Errors
    /// Those of `find`, and [`Error::Runtime`]: a tensor is not finite, a deviation is negative, or
    /// the text is damaged.
    pub fn from_parts(
        find: impl Fn(&str) -> Result<Tensor>,
        text: &str,
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        let header: Header = serde_json::from_str(text)
            .map_err(|e| Error::runtime(format!("the units of the data cannot be read: {e}")))?;
        let usable = |values: &Tensor, side: &str, what: &str| {
            let (good, range) = match what {
                // A column that does not vary has deviation 0.
                "deviation" => {
                    (values.ge(0.0).logical_and(&values.isfinite()), "finite and at least 0")
                }
                _ => (values.isfinite(), "finite"),
            };
            if good.all().int64_value(&[]) == 1 {
                return Ok(());
            }
            let name = format!("units.{side}.{what}");
            let message = format!("the units of the data are damaged: `{name}` is not {range}");
            Err(Error::runtime(message))
        };
        let normaliser = |side: &str, ties: Ties| -> Result<Normaliser> {
            let saved = |what: &str| find(&format!("units.{side}.{what}"));
            let find = |what: &str| -> Result<Tensor> {
                let saved = saved(what)?;
                let own = if saved.kind() == Kind::Double { Kind::Double } else { kind };
                usable(&saved, side, what)?;
                Ok(saved.to_kind(own).to_device(device))
            };
            let own = Normaliser::new(find("mean")?, find("deviation")?, kind);
            let columns =
                if side == "target" { &header.names.target } else { &header.names.condition };
            let quantiles = columns.iter().any(|column| column.scaling == Scaling::Quantile);
            let quantiles = quantiles.then(|| -> Result<Quantiles> {
                let (knots, entries) = (find("quantiles")?, saved("quantile_entries")?);
                check_quantiles(&knots, &entries, own.mean.numel() as i64)?;
                Ok(Quantiles { entries: entries.to_device(device), knots, ties })
            });
            Ok(own.with_quantiles(quantiles.transpose()?))
        };
        Ok(Self {
            shapes: header.shapes,
            target: normaliser("target", Ties::Spread)?,
            condition: normaliser("condition", Ties::Equal)?,
            target_is_label: header.target_is_label,
            condition_is_label: header.condition_is_label,
            names: header.names,
        })
    }
}

/// Checks that saved quantiles belong to entries of rows of `width`.
fn check_quantiles(knots: &Tensor, entries: &Tensor, width: i64) -> Result<()> {
    let sorted = || knots.diff::<Tensor>(1, -1, None, None).ge(0.0).all().int64_value(&[]) == 1;
    let inside = || {
        let all = entries.ge(0).logical_and(&entries.lt(width)).all();
        entries.kind() == Kind::Int64 && all.int64_value(&[]) == 1
    };
    let fits = knots.dim() == 2 && entries.size() == knots.size()[..1] && knots.size()[1] > 0;
    if fits && sorted() && inside() {
        return Ok(());
    }
    Err(Error::runtime("the units of the data are damaged: the quantiles do not fit the columns"))
}
