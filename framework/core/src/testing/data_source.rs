use super::expect::{all_identical, ensure, finite};
use super::seeds::{KIT, OTHER, seeded};
use super::{Check, Conformance, Kit};
use crate::component::{Columns, DataContext, DataSource, Splits, shape_text};
use crate::error::Result;
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor};

inventory::submit!(Kit::of::<dyn DataSource>());

impl Conformance for dyn DataSource {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "rows",
            about: "x and y have equally many rows, at least one: float32 or float64 on the CPU, y perhaps int64 \
                    labels, images perhaps bytes; every set has the columns of the training set",
            run: rows,
        },
        Check { name: "finite", about: "every number is finite", run: numbers_finite },
        Check {
            name: "same_seed",
            about: "built and loaded twice with one seed in the context, the rows are the same bit for bit",
            run: same_seed,
        },
    ];
    const STARTER: &'static str = include_str!("starters/data_source.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        load(component).map(|_| ())
    }
}

fn load(component: &Component<dyn DataSource>) -> Result<Splits> {
    component.build(&DataContext::new(KIT, "."))?.load()
}

fn sets(splits: &Splits) -> Vec<(&'static str, &Columns)> {
    let further = [("the validation set", &splits.val), ("the test set", &splits.test)];
    let further = further.into_iter().filter_map(|(name, table)| Some((name, table.as_ref()?)));
    std::iter::once(("the training set", &splits.train)).chain(further).collect()
}

fn sides(table: &Columns) -> Vec<(&'static str, &Tensor)> {
    [("x", &table.x), ("y", &table.y), ("z0", &table.z0)]
        .into_iter()
        .filter_map(|(name, side)| Some((name, side.as_ref()?)))
        .collect()
}

fn rows(component: &Component<dyn DataSource>) -> Result<()> {
    let splits = load(component)?;
    let columns = |table| -> Vec<_> {
        let row = |t: &Tensor| t.size().get(1..).map(<[i64]>::to_vec);
        sides(table).into_iter().map(|(name, t)| (name, t.kind(), row(t))).collect()
    };
    for (set, table) in sets(&splits) {
        ensure(!sides(table).is_empty(), || format!("{set} has neither x nor y"))?;
        for (side, values) in sides(table) {
            check_side(&format!("{side} of {set}"), side, values)?;
        }
        if let (Some(x), Some(y)) = (&table.x, &table.y) {
            let (x, y) = (x.size()[0], y.size()[0]);
            ensure(x == y, || format!("{set} has {x} rows of x, but {y} of y"))?;
        }
        let (found, expected) = (columns(table), columns(&splits.train));
        ensure(found == expected, || {
            format!("{set} has the columns {found:?}, expected {expected:?} as in the training set")
        })?;
    }
    Ok(())
}

fn check_side(what: &str, side: &str, values: &Tensor) -> Result<()> {
    let size = values.size();
    ensure(!size.is_empty() && values.numel() > 0, || {
        format!("{what} is {}, expected at least one row", shape_text(&size))
    })?;
    ensure(values.device() == Device::Cpu, || {
        format!("{what} is on {:?}, expected the CPU", values.device())
    })?;
    match values.kind() {
        DType::Float | DType::Double => Ok(()),
        DType::Uint8 if size.len() == 4 => Ok(()),
        DType::Int64 if side == "y" => ensure(size.len() == 1, || {
            format!("{what} is {} of labels, expected one label a row", shape_text(&size))
        }),
        other => ensure(false, || {
            format!(
                "{what} is {other:?}, expected float32 or float64 (or int64 labels, for y, \
                 or images [n, C, H, W] of bytes)"
            )
        }),
    }
}

fn same_seed(component: &Component<dyn DataSource>) -> Result<()> {
    let all = || -> Result<Vec<Tensor>> {
        let splits = load(component)?;
        let all = sets(&splits).into_iter().flat_map(|(_, table)| sides(table));
        Ok(all.map(|(_, side)| side.shallow_clone()).collect())
    };
    // Data are loaded before LibTorch is seeded: only the seed of the context counts.
    let (first, second) = (seeded(KIT, all)?, seeded(OTHER, all)?);
    ensure(all_identical(&first, &second), || {
        "loaded twice with one seed, the rows differ; draw from a generator seeded with the context's \
         `seed`"
            .to_owned()
    })
}

fn numbers_finite(component: &Component<dyn DataSource>) -> Result<()> {
    let splits = load(component)?;
    for (set, table) in sets(&splits) {
        for (side, values) in sides(table) {
            finite(&format!("{side} of {set}"), values)?;
        }
    }
    Ok(())
}
