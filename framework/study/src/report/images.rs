//! Pictures of models that generate images.

use super::{DRAWN, caption};
use crate::data::{Data, HeldOut};
use crate::error::Result;
use crate::measure::{draw_rows, how, labels, points};
use crate::plot::{self, ImageBlock, ImageView};
use crate::rng::{Purpose, stream_seed};
use crate::trained::Trained;
use std::path::Path;
use tch::{Kind, Tensor};

/// Classes, or rows without classes, and images of each.
const ROWS: usize = 10;
const COLUMNS: usize = 8;
/// Training images beside each generated one.
const NEAREST: i64 = 6;
/// Training images that are compared at a time.
const CHUNK: i64 = 4096;

/// Draws generated images beside held-out ones of the same classes, and beside the training images
/// nearest to them. Draws nothing unless the targets are images of 1 or 3 channels.
pub(super) fn draw(model: &mut Trained, data: &Data, folder: &Path) -> Result<()> {
    let [channels @ (1 | 3), height, width] = model.units().shapes.target[..] else {
        return Ok(());
    };
    let shape = [channels, height, width].map(|n| n as usize);
    let seed = stream_seed(model.experiment().seed(), Purpose::Report, 3);
    let HeldOut { name: set, rows: held, .. } = data.held_out(DRAWN)?;
    let classes = match &held.condition {
        Some(condition) if model.units().condition_is_label => Some(labels(condition)?),
        _ => None,
    };
    let (picked, names) = choose(classes.as_deref(), held.len() as usize);
    let held = held.rows(&Tensor::from_slice(&picked).to_device(held.target.device()));
    let (sampled, generated) = draw_rows(model, &held, Some((seed, 0)))?;
    let real = model.units().target.undo(&held.target);
    let range = range(&real)?;
    let title = |what: &str| format!("{}: {what}", model.experiment().objective.name());
    let how = caption(&how(model, &sampled, held.len(), Some(model.experiment().seed())));
    let block = |title: &str, columns: usize, images: &Tensor| -> Result<ImageBlock> {
        Ok(ImageBlock { title: title.to_owned(), columns, images: points(images)? })
    };
    let view = ImageView {
        title: title(&format!("generated beside {set} images")),
        subtitle: how.clone(),
        shape,
        range,
        rows: names.clone(),
        blocks: vec![block("generated", COLUMNS, &generated)?, block(&set, COLUMNS, &real)?],
    };
    plot::images(&folder.join("images.png"), &view)?;

    let first: Vec<i64> = (0..held.len()).step_by(COLUMNS).collect();
    let first = Tensor::from_slice(&first).to_device(generated.device());
    let queries = generated.index_select(0, &first);
    let near = nearest(&model.units().target.apply(&queries), data)?;
    let neighbours = model.units().target.undo(&data.train.take(&near.reshape([-1]))?.target);
    let columns = near.size()[1] as usize;
    let view = ImageView {
        title: title("generated images and the training images nearest to them"),
        subtitle: how,
        shape,
        range,
        rows: names,
        blocks: vec![
            block("generated", 1, &queries)?,
            block("nearest in the training set, from the left", columns, &neighbours)?,
        ],
    };
    plot::images(&folder.join("nearest_neighbours.png"), &view)
}

/// Indices of rows to show, [`COLUMNS`] of each class after each other, and the names of the
/// classes; the first rows and no names without classes.
fn choose(classes: Option<&[usize]>, rows: usize) -> (Vec<i64>, Vec<String>) {
    let Some(classes) = classes else {
        return ((0..rows.min(ROWS * COLUMNS)).map(|i| i as i64).collect(), Vec::new());
    };
    let (mut picked, mut names) = (Vec::new(), Vec::new());
    let highest = classes.iter().max().map_or(0, |c| c + 1);
    for class in 0..highest {
        let members: Vec<i64> =
            (0..rows).filter(|i| classes[*i] == class).map(|i| i as i64).collect();
        // A class that does not fill its row of the grid is left out.
        if members.len() >= COLUMNS && names.len() < ROWS {
            picked.extend(&members[..COLUMNS]);
            names.push(class.to_string());
        }
    }
    match names.is_empty() {
        true => choose(None, rows),
        false => (picked, names),
    }
}

/// The values of black and white: 0 and 1 if all values lie between, else the lowest and the
/// highest.
fn range(real: &Tensor) -> Result<(f64, f64)> {
    let (low, high) = (real.min().double_value(&[]), real.max().double_value(&[]));
    let within = low >= -1e-6 && high <= 1.0 + 1e-6;
    Ok(if within || high <= low { (0.0, 1.0) } else { (low, high) })
}

/// Indices `[n, k]` of the training rows nearest to each of `images` (normalised), the nearest
/// first.
fn nearest(images: &Tensor, data: &Data) -> Result<Tensor> {
    let flat = |t: &Tensor| t.reshape([t.size()[0], -1]).to_kind(Kind::Float);
    let (images, train) = (flat(images), &data.train);
    let distances: Vec<Tensor> = (0..train.len())
        .step_by(CHUNK as usize)
        .map(|from| {
            let chunk = train.take(from..train.len().min(from + CHUNK))?;
            Ok(Tensor::cdist(&images, &flat(&chunk.target), 2.0, None::<i64>))
        })
        .collect::<Result<_>>()?;
    let k = NEAREST.min(train.len());
    Ok(Tensor::cat(&distances, 1).topk(k, 1, false, true).1)
}
