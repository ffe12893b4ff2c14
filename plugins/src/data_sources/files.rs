//! Conversion and checks of the contents of files.

use triflow::io::ArrayData;
use triflow::prelude::*;
use triflow::tch::Kind;

use std::path::Path as FsPath;

/// Finite numbers of shape `[n, …]`: float32 for float32 and small integers in the file, else
/// float64, since the engine rounds numbers only once they are centred. `what` describes them in
/// errors, such as "array `x`". With `gaps`, values that are missing may be NaN.
///
/// # Errors
/// There are no rows or values, or one is not finite in float32.
pub(super) fn numbers(
    path: &FsPath,
    what: &str,
    shape: &[usize],
    values: ArrayData,
    gaps: bool,
) -> Result<Tensor> {
    let rows = check_shape(path, what, shape)?;
    let (flat, bad) = match values {
        ArrayData::F32(values) => {
            let bad = values.iter().position(|v| !(v.is_finite() || gaps && v.is_nan()));
            (Tensor::from_slice(&values), bad.map(|i| (i, f64::from(values[i]))))
        }
        ArrayData::F64(_)
        | ArrayData::I64(_)
        | ArrayData::I32(_)
        | ArrayData::U64(_)
        | ArrayData::U32(_) => {
            let values = values.into_f64();
            let refused = |v: &f64| !((*v as f32).is_finite() || gaps && v.is_nan());
            let bad = values.iter().position(refused);
            (Tensor::from_slice(&values), bad.map(|i| (i, values[i])))
        }
        small => (Tensor::from_slice(&small.into_f32()), None),
    };
    if let Some((i, value)) = bad {
        let row = i / (flat.numel() / rows);
        let why = if value.is_finite() { ", which is too large for float32" } else { "" };
        return Err(Error::data(
            path,
            format!(
                "{what}: row {row} (counted from 0) holds {value:?}{why}; remove or fill such rows first"
            ),
        ));
    }
    let shape: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
    Ok(flat.reshape(shape))
}

/// Class labels, `[n]` int64, any whole numbers.
///
/// # Errors
/// There are no rows.
pub(super) fn labels(path: &FsPath, what: &str, labels: &[i64]) -> Result<Tensor> {
    check_shape(path, what, &[labels.len()])?;
    Ok(Tensor::from_slice(labels))
}

/// Number of rows of an array of this shape.
pub(super) fn check_shape(path: &FsPath, what: &str, shape: &[usize]) -> Result<usize> {
    match shape {
        [] => Err(Error::data(
            path,
            format!(
                "{what} is a single number; needed: one row an example, of shape [n] or [n, …]"
            ),
        )),
        [0, ..] => Err(Error::data(path, format!("{what} has no rows"))),
        [_, rest @ ..] if rest.contains(&0) => {
            Err(Error::data(path, format!("{what} has no values: its shape is {shape:?}")))
        }
        [rows, ..] => Ok(*rows),
    }
}

/// Checks that x and y have the same number of rows. `names` describe them in errors.
///
/// # Errors
/// The numbers of rows differ.
pub(super) fn check_rows(path: &FsPath, table: &Columns, names: [&str; 2]) -> Result<()> {
    let rows = |part| table.layout(part).map(|(_, shape)| shape[0]);
    if let (Some(x), Some(y)) = (rows(Part::X), rows(Part::Y))
        && x != y
    {
        return Err(Error::data(
            path,
            format!("{} has {x} rows, but {} has {y}", names[0], names[1]),
        ));
    }
    Ok(())
}

/// Checks that another set has the types and shapes of the training rows. `set` is its name, such
/// as `val`.
///
/// # Errors
/// x or y has another type or shape, or only one of the two sets has it.
pub(super) fn check_alike(
    path: &FsPath,
    train: &Columns,
    other: &Columns,
    set: &str,
) -> Result<()> {
    let kind = |(kind, shape): (Kind, Vec<i64>)| match kind {
        Kind::Int64 => "class labels".to_owned(),
        Kind::Uint8 => format!("bytes of shape {:?}", &shape[1..]),
        _ => format!("rows of shape {:?}", &shape[1..]),
    };
    for part in [Part::X, Part::Y] {
        let (train, other) = (train.layout(part).map(kind), other.layout(part).map(kind));
        if train != other {
            let say = |what: Option<String>| what.unwrap_or_else(|| "none".to_owned());
            return Err(Error::data(
                path,
                format!(
                    "{part}: the {set} set has {}, the training set {}",
                    say(other),
                    say(train)
                ),
            ));
        }
    }
    Ok(())
}
