//! Rules by which training ends before its planned number of steps.

mod never;
mod patience;

pub use never::Never;
pub use patience::Patience;
