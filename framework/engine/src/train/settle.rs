//! What the rows and the model have to agree on before training.

use crate::component::shape_text;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::trained::Trained;

/// An error if images cannot be mirrored.
pub(super) fn check_flip(trained: &Trained) -> Result<()> {
    if !trained.experiment().training.flip {
        return Ok(());
    }
    let shapes = &trained.units().shapes;
    let images = [Some(&shapes.target), shapes.condition.as_ref()];
    if !images.into_iter().flatten().any(|shape| shape.len() == 3) {
        let message =
            "only images [channels, height, width] can be mirrored, and the data have none";
        return Err(Error::config("training.flip", message));
    }
    if !trained.model.independent() || trained.model.given() {
        let message = "z_0 is paired with the images as they are, not with mirrored ones";
        return Err(Error::config("training.flip", message)
            .help("leave it out, or set `coupling: independent`"));
    }
    Ok(())
}

/// Keeps the rows' own z_0 where the model takes them; an error where they are missing or do not fit, and where rows
/// cannot be paired.
pub(super) fn settle_z0(model: &Model, data: &mut Data) -> Result<()> {
    if data.train.target.lengths.is_some() && !model.independent() {
        let message = "sequences of different lengths are not paired with z_0: no distance between them is defined";
        return Err(Error::config("coupling", message).help("take an independent coupling"));
    }
    let sets = [("training", &mut data.train), ("validation", &mut data.val)];
    for (name, set) in sets {
        if !model.given() {
            if set.z0.take().is_some() {
                log::warn!(
                    "the {name} rows have a z_0 of their own, which the coupling does not use"
                );
            }
            continue;
        }
        match &set.z0 {
            _ if set.is_empty() => {}
            None => {
                let message = format!(
                    "the coupling takes each row's z_0 from the data, but the {name} rows have none"
                );
                return Err(Error::config("coupling", message).help(
                    "add an array `z0` (for validation rows of their own `z0_val`), or take another coupling",
                ));
            }
            Some(z0) if z0.shape() != model.latent_shape() => {
                let (found, wanted) = (shape_text(z0.shape()), shape_text(model.latent_shape()));
                let message =
                    format!("z0 has rows of shape {found}, but a latent has shape {wanted}");
                return Err(Error::config("data", message));
            }
            Some(_) => {}
        }
    }
    data.test.z0 = None;
    Ok(())
}
