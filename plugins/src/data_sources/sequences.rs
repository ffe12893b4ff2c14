use super::arrays::{ArrayNames, Arrays, open_sequences};
use triflow::prelude::*;

triflow::component! {
    /// Sequences in a NumPy archive or safetensors file: x and y are arrays, padded to one length.
    ///
    /// x and y are `[n, T, features]` with a T each, padded at the end; `[n, T]` is a single
    /// feature. Integers `[n]` give the length of each row: `x_lengths` and `y_lengths`, or
    /// `lengths` for both; without them all rows have length T. Rows for validation and evaluation
    /// are `x_val`, `y_val`, `lengths_val`, and the same with `_test`, or are split off. Values in
    /// the padding are ignored.
    #[example = "{ type: sequences, path: series.npz }"]
    pub struct Sequences: DataSource = "sequences" {
        /// File of the arrays, `.npz` or `.safetensors`.
        pub path: triflow::config::FilePath,
        /// Name of the array of x; the default may be missing if the task needs no x.
        pub x: String = "x".into(),
        /// Name of the array of y; the default may be missing if the task needs no y.
        pub y: String = "y".into(),
        /// Name of the array with the weight of each training row, at least 0, for
        /// `training.row_weights: given`; null: none.
        pub weights: Option<String> = None,
    }
}

impl Spec<dyn DataSource> for Sequences {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Arrays {
            path: self.path.clone(),
            base: ctx.base.clone(),
            split_column: ctx.split_column.clone(),
            names: ArrayNames {
                x: self.x.clone(),
                y: self.y.clone(),
                x_val: None,
                y_val: None,
                x_test: None,
                y_test: None,
                weights: self.weights.clone(),
            },
            open: open_sequences,
        }))
    }
}
