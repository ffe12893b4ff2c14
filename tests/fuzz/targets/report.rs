//! Results of a comparison, and everything that is written from them.

use std::path::Path;
use triflow::compare::{self, Results};

pub fn run(folder: &Path, data: &[u8]) {
    let Ok(results) = serde_json::from_slice::<Results>(data) else { return };
    let _ = compare::write(&results, folder);
    let _ = (compare::summary(&results), compare::missing(&results));
}
