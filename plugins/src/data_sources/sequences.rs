//! Sequences of different lengths, from a file.

use super::files::{ArrayNames, Arrays, open_sequences};
use triflow::prelude::*;

triflow::component! {
    /// Sequences x and y of a NumPy archive (`.npz`) or safetensors file, with their lengths.
    ///
    /// x is `[n, T, features]` and y likewise (with a T of its own), padded at the end; a single feature may come
    /// as `[n, T]`. How long each is stands in integers `[n]`: `x_lengths` and `y_lengths`, or `lengths` for both;
    /// without them all are full. Rows for validation and evaluation are `x_val`, `y_val`, `lengths_val`, and with
    /// `_test`, or are split off. What lies in the padding is not looked at.
    pub struct Sequences: DataSource, DataSourceSpec = "sequences" {
        /// The file.
        pub path: triflow::config::FilePath = triflow::config::FilePath::default(),
        /// Name of the array of x. `x` itself may be missing where the task does without.
        pub x: String = "x".into(),
        /// Name of the array of y.
        pub y: String = "y".into(),
    }
}

impl Spec<dyn DataSource> for Sequences {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Arrays {
            path: self.path.clone(),
            base: ctx.base.clone(),
            names: ArrayNames {
                x: self.x.clone(),
                y: self.y.clone(),
                x_val: None,
                y_val: None,
                x_test: None,
                y_test: None,
            },
            open: open_sequences,
        }))
    }
}
