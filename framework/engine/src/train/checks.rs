//! Checks before training that the rows suit the model.

use crate::component::{Stopping, shape_text};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::trained::Trained;

/// Checks that images can be mirrored if `training.flip` is set.
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
    if !trained.model.independent() || trained.model.z0_from_data() {
        let message = "z_0 is paired with the images as they are, not with mirrored ones";
        return Err(Error::config("training.flip", message)
            .help("remove it, or set `coupling: independent`"));
    }
    Ok(())
}

/// Checks that the rule by which training ends gets the losses that it needs.
pub(super) fn check_stopping(rule: &dyn Stopping, model: &Model, data: &Data) -> Result<()> {
    let Some(term) = rule.validates()? else { return Ok(()) };
    let refused = |message: String| Error::config("training.stopping", message);
    if !model.measures(term) {
        return Err(refused(format!("this model has no loss term `{}`", term.name())));
    }
    match data.val.is_empty() {
        true => Err(refused("needs validation rows, and there are none".to_owned())
            .help("hold some back, as `data: { split: { val: 0.1 } }`")),
        false => Ok(()),
    }
}

/// Checks the z_0 that the data give if the coupling takes them, drops them otherwise, and checks
/// that rows can be paired.
pub(super) fn prepare_z0(model: &Model, data: &mut Data) -> Result<()> {
    if data.train.target.lengths.is_some() && !model.independent() {
        let message = "sequences of different lengths cannot be paired with z_0: \
                       no distance between them is defined";
        return Err(Error::config("coupling", message).help("use an independent coupling"));
    }
    let sets = [("training", &mut data.train), ("validation", &mut data.val)];
    for (name, set) in sets {
        if !model.z0_from_data() {
            if set.z0.take().is_some() {
                log::warn!(
                    "the {name} rows have z_0 of their own, which the coupling does not use"
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
                    "add an array `z0` (`z0_val` for validation rows), or use another coupling",
                ));
            }
            Some(z0) if z0.shape() != model.latent_shape() => {
                let (found, expected) = (shape_text(z0.shape()), shape_text(model.latent_shape()));
                let message =
                    format!("z0 has rows of shape {found}, but a latent has shape {expected}");
                return Err(Error::config("data", message));
            }
            Some(_) => {}
        }
    }
    data.test.z0 = None;
    Ok(())
}
